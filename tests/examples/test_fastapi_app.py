"""The web application of the examples, asked over HTTP."""

import contextlib
import importlib.util
import sqlite3
from pathlib import Path

import httpx
from agents import Agent, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message

from strongroom import Key, Keyring, describe

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app.py"
KEYS = Keyring(Key.generate())
USERS = {"token-ada": "ada", "token-bob": "bob"}


def create_app(url, *answers):
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    set_tracing_disabled(True)
    model = ScriptedModel([[assistant_message(answer)] for answer in answers])
    return module.create_app(url, keys=KEYS, users=USERS, agent=Agent(name="A", model=model))


@contextlib.asynccontextmanager
async def running(app):
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


def as_user(name):
    return {"Authorization": f"Bearer token-{name}"}


async def test_each_user_has_a_conversation_that_is_stored_encrypted(tmp_path):
    app = create_app(f"sqlite+aiosqlite:///{tmp_path / 'm.db'}", "Hi Ada.", "Hi Bob.", "Nine.")
    async with running(app) as client:
        for name, message, answer in (
            ("ada", "I am Ada, my train leaves at nine.", "Hi Ada."),
            ("bob", "I am Bob.", "Hi Bob."),
            ("ada", "When does it leave?", "Nine."),
        ):
            response = await client.post("/chat", json={"message": message}, headers=as_user(name))
            assert response.json() == {"answer": answer}
        ada = (await client.get("/chat", headers=as_user("ada"))).json()
        bob = (await client.get("/chat", headers=as_user("bob"))).json()
    assert [item["content"] for item in ada if item["role"] == "user"] == [
        "I am Ada, my train leaves at nine.",
        "When does it leave?",
    ]
    assert len(bob) == 2
    with contextlib.closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        rows = [row for (row,) in connection.execute("SELECT message_data FROM agent_messages")]
    assert {describe(row).spec for row in rows} == {"json+aesgcm"}
    assert len(rows) == 6


async def test_the_application_can_be_restarted(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'm.db'}"
    async with running(create_app(url, "Hello.")) as client:
        await client.post("/chat", json={"message": "Hi"}, headers=as_user("ada"))
    async with running(create_app(url)) as client:
        assert len((await client.get("/chat?limit=1", headers=as_user("ada"))).json()) == 1
        assert (await client.delete("/chat", headers=as_user("ada"))).status_code == 204
        assert (await client.get("/chat", headers=as_user("ada"))).json() == []


async def test_nobody_is_let_in_without_a_token(tmp_path):
    async with running(create_app(f"sqlite+aiosqlite:///{tmp_path / 'm.db'}")) as client:
        for headers in ({}, {"Authorization": "Bearer ada"}):
            response = await client.get("/chat", headers=headers)
            assert response.status_code in {401, 403}


async def test_one_store_serves_all_requests(tmp_path):
    app = create_app(f"sqlite+aiosqlite:///{tmp_path / 'm.db'}", "One.", "Two.")
    async with running(app) as client:
        store = app.state.store
        for _ in range(2):
            await client.post("/chat", json={"message": "Hi"}, headers=as_user("ada"))
        assert app.state.store is store
