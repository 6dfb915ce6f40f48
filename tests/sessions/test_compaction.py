"""OpenAIResponsesCompactionSession over our sessions does what it does over openai-agents' own."""

from types import SimpleNamespace

import pytest

pytest.importorskip("agents.extensions.memory", reason="openai-agents is not installed")

from agents import Agent, Runner, function_tool
from agents.extensions.memory import EncryptedSession
from agents.extensions.memory import SQLAlchemySession as TheirSession
from agents.memory import OpenAIResponsesCompactionSession, SessionSettings, SQLiteSession
from agents.run import RunConfig
from agents.testing import ScriptedModel, assistant_message, function_call

from strongroom import Key, Keyring, SQLAlchemySession

KEYS = Keyring(Key.generate())
CODECS = ["json", "orjson+zlib", "msgpack+aesgcm", "orjson+fernet"]
SUMMARY = {"type": "compaction", "id": "cmp_1", "encrypted_content": "summary"}
QUIET = RunConfig(tracing_disabled=True)

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql"),
    pytest.mark.text_on_servers,
]


class FakeClient:
    """Stands for AsyncOpenAI: records what is compacted, and answers with a summary."""

    def __init__(self, meanwhile=None):
        self.calls = []
        self.responses = self
        self.meanwhile = meanwhile

    async def compact(self, **arguments):
        self.calls.append(arguments)
        if self.meanwhile is not None:
            await self.meanwhile()
        return SimpleNamespace(output=[dict(SUMMARY)], usage=None)


def ours(database, spec="json", **options):
    keys = KEYS if spec.endswith(("fernet", "aesgcm")) else None
    return database.session("ours", codec=spec, keys=keys, **options)


def theirs(database, **options):
    return TheirSession("theirs", engine=database.engine(), create_tables=True, **options)


def compacting(session, client, threshold=4, **options):
    return OpenAIResponsesCompactionSession(
        session.session_id,
        session,
        client=client,
        should_trigger_compaction=lambda c: len(c["compaction_candidate_items"]) >= threshold,
        **options,
    )


@function_tool
def look_up(city: str) -> str:
    """Tell the weather."""
    return f"In {city} ☀"


async def converse(session, turns):
    """Run turns with a tool call in each; return the history after each turn."""
    histories = []
    for turn in range(turns):
        model = ScriptedModel(
            [
                [function_call("look_up", {"city": f"Zürich {turn}"}, call_id=f"c{turn}")],
                [assistant_message(f"Schön {turn}", item_id=f"m{turn}")],
            ]
        )
        agent = Agent("a", model=model, tools=[look_up])
        await Runner.run(agent, f"Frage {turn}?", session=session, run_config=QUIET)
        histories.append(await session.get_items(limit=1000))
    return histories


async def compare(session, reference, limit):
    """Converse over both; the same is compacted at the same time to the same history."""
    client, expected_client = FakeClient(), FakeClient()
    found = await converse(compacting(session, client), turns=4)
    expected = await converse(compacting(reference, expected_client), turns=4)
    assert found == expected
    assert client.calls == expected_client.calls
    if limit is None or limit > 4:
        assert client.calls
        assert any(SUMMARY in history for history in found)


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.parametrize("limit", [None, 3, 5, 40])
@pytest.mark.parametrize("spec", CODECS)
async def test_the_runner_compacts_as_over_theirs(database, spec, limit):
    settings = None if limit is None else SessionSettings(limit=limit)
    session = ours(database, spec, session_settings=settings)
    await compare(session, theirs(database, session_settings=settings), limit)


@pytest.mark.parametrize("limit", [None, 5])
async def test_the_runner_compacts_alike_on_every_database(database, limit):
    settings = None if limit is None else SessionSettings(limit=limit)
    reference = SQLiteSession("theirs", session_settings=settings)
    try:
        session = ours(database, "msgpack+aesgcm", session_settings=settings)
        await compare(session, reference, limit)
    finally:
        reference.close()


@pytest.mark.parametrize("spec", CODECS)
@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.representatives(spec=("json", "msgpack+aesgcm"))
async def test_manual_compaction_replaces_the_whole_history(database, spec, limit):
    session = ours(database, spec, session_settings=None if limit is None else {"limit": limit})
    items = [{"role": "assistant", "content": f"größe {n}"} for n in range(12)]
    await session.add_items(items)
    client = FakeClient()
    await compacting(session, client).run_compaction({"force": True, "compaction_mode": "input"})
    (call,) = client.calls
    assert call["input"] == (items if limit is None else items[-limit:])
    assert await session.get_items(limit=100) == [SUMMARY]


async def test_an_append_during_the_request_is_not_compacted_away(database):
    session = ours(database)
    late = {"role": "user", "content": "late"}

    async def meanwhile():
        await database.session("ours").add_items([late])

    client = FakeClient(meanwhile)
    histories = await converse(compacting(session, client), turns=1)
    assert client.calls == [] or histories[-1][-1] == late
    client.calls.clear()
    histories = await converse(compacting(session, client, threshold=2), turns=1)
    assert client.calls
    assert histories[-1][-1] == late
    assert SUMMARY not in histories[-1]


async def test_a_snapshot_replaces_only_what_is_still_the_end(database):
    session = ours(database)
    await session.add_items([{"n": n} for n in range(5)])
    snapshot = await session._get_compaction_snapshot(3)
    assert (snapshot.items, snapshot.complete) == ([{"n": 2}, {"n": 3}, {"n": 4}], False)
    await session.add_items([{"n": 5}])
    assert await snapshot.replace_suffix(0, [SUMMARY]) is False
    assert len(await session.get_items()) == 6
    snapshot = await session._get_compaction_snapshot(6)
    assert snapshot.complete is True
    assert await snapshot.replace_suffix(6, [SUMMARY]) is False
    assert await snapshot.replace_suffix(4, [SUMMARY, {"n": "new"}]) is True
    history = [{"n": n} for n in range(4)] + [SUMMARY, {"n": "new"}]
    assert await session.get_items() == history
    assert await snapshot.replace_suffix(4, []) is False
    assert await session.get_items() == history


async def test_a_snapshot_prunes_the_prefix_only_as_far_as_it_may(database):
    session = ours(database)
    await session.add_items([{"n": n, "old": n in (0, 1, 2, 4)} for n in range(7)])
    snapshot = await session._get_compaction_snapshot(2, prune_prefix=lambda item: item["old"])
    assert await snapshot.replace_suffix(1, [SUMMARY]) is True
    left = [item.get("n", item.get("type")) for item in await session.get_items()]
    assert left == [3, 4, 5, "compaction"]


async def test_a_snapshot_of_what_cannot_be_read_is_none(database):
    session = ours(database)
    await session.add_items([{"n": 1}])
    await database.put("not JSON", session_id="ours")
    assert await session._get_compaction_snapshot(5) is None


async def test_manual_compaction_stops_at_what_cannot_be_read(database):
    session = ours(database)
    await session.add_items([{"role": "assistant", "content": str(n)} for n in range(3)])
    await database.put("not JSON", session_id="ours")
    before = await database.rows("ours")
    with pytest.raises(Exception, match="JSON"):
        await compacting(session, FakeClient()).run_compaction(
            {"force": True, "compaction_mode": "input"}
        )
    assert await database.rows("ours") == before


async def test_their_encryption_over_their_compaction_over_ours(database):
    client = FakeClient()
    inner = compacting(ours(database), client)
    session = EncryptedSession("ours", inner, encryption_key="a passphrase", ttl=600)
    histories = await converse(session, turns=3)
    assert client.calls
    assert any(SUMMARY in history for history in histories)
    for _, value in await database.rows("ours"):
        assert "__enc__" in str(value)


def test_sessions_serve_compaction_by_the_names_it_looks_for():
    assert callable(SQLAlchemySession._atomic_replace_items)
    assert callable(SQLAlchemySession._get_compaction_snapshot)
