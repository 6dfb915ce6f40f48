"""What goes into a session comes out, under every codec."""

import asyncio
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiers
from strongroom import Key, Keyring, SessionStore

KEYS = Keyring(Key(b"k" * 32))
STAGES = (("json", "orjson", "msgpack"), ("", "zlib", "zstd"), ("", "fernet", "aesgcm"))
# Each pair of stages is in one of these; tests/test_codec.py has every codec.
PAIRS = [
    "+".join(filter(None, (serializer, compressor, STAGES[2][(i + j) % 3])))
    for i, serializer in enumerate(STAGES[0])
    for j, compressor in enumerate(STAGES[1])
]
SOME_SPECS = ["json", "orjson", "msgpack+zlib", "orjson+fernet", "msgpack+zstd+aesgcm"]

strings = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    strings,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(strings, inner, max_size=4)
    ),
    max_leaves=12,
)


def as_json(items):
    """Return what tells apart all that JSON tells apart: key order, 1 and 1.0, -0.0, NaN."""
    return [json.dumps(item) for item in items]


def expected(items):
    return as_json(json.loads(json.dumps(item)) for item in items)


def keys_of(spec):
    return KEYS if spec.endswith(("fernet", "aesgcm")) else None


# Every JSON value -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_store(tmp_path_factory):
    """Return a loop, and a function that opens a store with a codec on one file of all tests."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('roundtrip') / 'test.db'}"
    stores = {}
    with asyncio.Runner() as runner:

        def open_one(spec, column_type, **options):
            key = (spec, column_type, *options)
            if key not in stores:
                stores[key] = SessionStore.from_url(
                    url,
                    create_tables=True,
                    sessions_table=f"sessions_{column_type}",
                    messages_table=f"messages_{column_type}",
                    codec=spec,
                    keys=keys_of(spec),
                    column_type=column_type,
                    **options,
                )
            return stores[key]

        yield runner.run, open_one
        for store in stores.values():
            runner.run(store.aclose())


async def write_and_read(store, items):
    session = store.session("s")
    await session.replace_items(items)
    fresh = await store.session("s").get_items()
    newest = await session.pop_item() if items else None
    return fresh, newest


@pytest.mark.parametrize("column_type", ["text", "binary"])
@pytest.mark.parametrize("spec", PAIRS)
@settings(
    max_examples=tiers.examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(items=st.lists(values, max_size=4))
def test_every_json_value_comes_back(open_store, spec, column_type, items):
    run, open_one = open_store
    found, newest = run(write_and_read(open_one(spec, column_type), items))
    assert as_json(found) == expected(items)
    if items:
        assert as_json([newest]) == expected(items[-1:])


@given(items=st.lists(values, max_size=4))
def test_every_json_value_comes_back_without_escapes(open_store, items):
    run, open_one = open_store
    found, _ = run(write_and_read(open_one("json", "text", ensure_ascii=False), items))
    assert as_json(found) == expected(items)


def nested(depth):
    value = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


AWKWARD = [
    {"text": "\x00 \x1a ' \" \\ % ? : $1 :name %s -- /* \u2028\u2029 \ufeff \uffff \U0010ffff"},
    {"lone": "\ud800", "reversed": "\udc00\ud800", "in key \udfff": 1},
    {"big": [2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400]},
    {"float": [0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 9007199254740993.0]},
    {"odd": [float("nan"), float("inf"), float("-inf")]},
    {"z": 1, "a": 2, "": 3, "m": {}},
    {"e\u0301": "é", "é": "e\u0301"},
    nested(400),
    [],
    "a string",
    None,
    0,
]


@pytest.mark.databases(column_types=("text", "binary"))
@pytest.mark.parametrize("spec", SOME_SPECS)
async def test_awkward_values_come_back_on_every_database(database, spec):
    session = database.session(codec=spec, keys=keys_of(spec))
    await session.add_items(AWKWARD)
    assert as_json(await session.get_items()) == expected(AWKWARD)
    popped = [await session.pop_item() for _ in AWKWARD]
    assert as_json(popped[::-1]) == expected(AWKWARD)


# A long conversation ----------------------------------------------------------------------------

LANGUAGES = [
    "The quick brown fox jumps over the lazy dog. ",
    "Größere Äpfel süßen Öl, naïve Façade. ",
    "素早い茶色の狐がのろまな犬を飛び越える。",
    "Съешь ещё этих мягких французских булок. ",
    "نص حكيم له سر قاطع وذو شأن عظيم. ",
    "👩‍👩‍👧‍👦 🇨🇭 ✍🏽 e\u0301 ",
]


def conversation(turns=260, seed=7):
    """Return what a recorder would have written: four items a turn, and one of 1 MB."""
    rng = random.Random(seed)
    items = []
    for turn in range(turns):
        text = rng.choice(LANGUAGES) * rng.randint(1, 12)
        call_id = f"call_{rng.getrandbits(96):024x}"
        arguments = json.dumps({"query": text[:40], "limit": turn}, ensure_ascii=bool(turn % 2))
        items += [
            {"role": "user", "content": [{"type": "input_text", "text": text}]},
            {
                "type": "reasoning",
                "id": f"rs_{turn}",
                "summary": [],
                "encrypted_content": f"gAAAAAB{rng.getrandbits(4096):x}",
            },
            {"type": "function_call", "call_id": call_id, "name": "f", "arguments": arguments},
            {
                "type": "function_call_output",
                "call_id": call_id,
                "output": json.dumps({"score": rng.random(), "rows": list(range(turn % 9))}),
            },
            {
                "type": "message",
                "id": f"msg_{turn}",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": text[::-1], "annotations": [], "logprobs": []}
                ],
            },
        ]
    items[500]["content"] = "".join(LANGUAGES) * 5000
    return items


CONVERSATION = conversation()


async def store_and_read(database, spec):
    session = database.session(codec=spec, keys=keys_of(spec))
    for start in range(0, len(CONVERSATION), 100):
        await session.add_items(CONVERSATION[start : start + 100])
    assert await session.get_items() == CONVERSATION
    assert await session.get_items(20) == CONVERSATION[-20:]
    assert [item async for item in session.iter_items()] == CONVERSATION


def test_the_conversation_is_what_it_is_said_to_be():
    assert len(CONVERSATION) >= 1000
    assert max(len(json.dumps(item, ensure_ascii=False).encode()) for item in CONVERSATION) > 2**20


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("spec", PAIRS)
async def test_a_long_conversation_comes_back_under_every_pair_of_stages(database, spec):
    await store_and_read(database, spec)


@pytest.mark.databases("sqlite-memory", "postgresql", "mysql-aiomysql", "mysql-asyncmy")
@pytest.mark.parametrize("spec", SOME_SPECS)
async def test_a_long_conversation_comes_back_on_every_database(database, spec):
    await store_and_read(database, spec)
