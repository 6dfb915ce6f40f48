"""A real Runner over our sessions: turns, and an interrupted run that is resumed elsewhere."""

import json

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, Runner, function_tool
from agents.run import RunConfig
from agents.run_state import RunState
from agents.testing import ScriptedModel, assistant_message, function_call

from strongroom import Key, Keyring, describe

KEYS = Keyring(Key.generate())
CODECS = ["json", "orjson", "msgpack", "json+zlib", "orjson+fernet", "msgpack+zlib+aesgcm"]
QUIET = RunConfig(tracing_disabled=True)

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql"),
    pytest.mark.parametrize("spec", CODECS),
    pytest.mark.representatives(spec=("json", "msgpack+zlib+aesgcm")),
    pytest.mark.text_on_servers,
]


@function_tool(needs_approval=True)
def pay(amount: float, to: str) -> str:
    """Pay somebody."""
    return f"{amount} € to {to}"


def agent(*steps):
    return Agent("teller", model=ScriptedModel(steps), tools=[pay])


@pytest.fixture
def open_session(database, spec):
    def open_one():
        keys = KEYS if spec.endswith(("fernet", "aesgcm")) else None
        return database.session(codec=spec, keys=keys)

    return open_one


async def test_a_second_turn_sees_the_first(open_session, database, spec):
    first = agent([assistant_message("Grüß Gott", item_id="m1")])
    await Runner.run(first, "Servus 😀", session=open_session(), run_config=QUIET)
    second = agent([assistant_message("Ja", item_id="m2")])
    await Runner.run(second, "Noch da?", session=open_session(), run_config=QUIET)
    said = [item["content"] for item in second.model.last_call.input]
    assert said[0] == "Servus 😀"
    assert said[1][0]["text"] == "Grüß Gott"
    assert said[2] == "Noch da?"
    assert len(await database.rows()) == 4
    form = describe((await database.rows())[0][1]).spec
    assert form == spec.replace("orjson", "json")


async def test_an_interrupted_run_is_resumed_from_its_stored_state(open_session):
    call = function_call("pay", {"amount": 12.50, "to": "Jürgen"}, call_id="c1")
    first = agent([call])
    interrupted = await Runner.run(first, "Zahl!", session=open_session(), run_config=QUIET)
    assert interrupted.interruptions
    stored = json.dumps(interrupted.to_state().to_json())

    again = agent([assistant_message("Bezahlt", item_id="m1")])
    state = await RunState.from_json(again, json.loads(stored))
    for interruption in state.get_interruptions():
        state.approve(interruption)
    session = open_session()
    result = await Runner.run(again, state, session=session, run_config=QUIET)
    assert result.final_output == "Bezahlt"
    history = await session.get_items()
    kinds = [item.get("type", item.get("role")) for item in history]
    assert kinds == ["user", "function_call", "function_call_output", "message"]
    assert history[2]["output"] == "12.5 € to Jürgen"


async def test_what_a_failed_turn_stored_is_taken_back_or_whole(open_session):
    session = open_session()
    await Runner.run(
        agent([assistant_message("Gut", item_id="m1")]), "Eins", session=session, run_config=QUIET
    )
    before = await session.get_items()
    with pytest.raises(RuntimeError, match="model"):
        await Runner.run(
            agent(RuntimeError("model down")), "Zwei", session=session, run_config=QUIET
        )
    after = await open_session().get_items()
    assert after[: len(before)] == before
    assert [item.get("content") for item in after[len(before) :]] in ([], ["Zwei"])
