"""An agent whose conversation is kept in a SQLite file, through a codec of your choice.

    python examples/agent_memory.py --codec msgpack+zstd+aesgcm

Agent, tool and Runner are the real openai-agents SDK; only the model is scripted, so that this
needs neither a network nor an API key. Two turns are held in this process, and a third one in a
second process, which knows what was said from the file alone. If the codec has a cipher, what it
promises is put to the test. The exit code is 0 only if everything that is shown is so.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call

import demo_tools as demo
from strongroom import Codec, DecodeError, Key, Keyring, SQLAlchemySession, StrongroomError

if TYPE_CHECKING:
    from agents.testing import ModelCall

SESSION_ID = "trip-to-lisbon"


@function_tool
def find_hotel(city: str, nights: int) -> str:
    """Find a quiet hotel."""
    return f"Casa Aurora, a quiet house in {city}: {96 * nights} EUR for {nights} nights"


def travel_agent(*script: Any) -> Agent:
    """Return an agent whose model says what the script says."""
    return Agent(
        name="Travel desk",
        instructions="Help the guest to find a hotel.",
        model=ScriptedModel(script),
        tools=[find_hotel],
    )


def open_session(db: Path, codec: str, keys: Keyring | None) -> SQLAlchemySession:
    """Open the conversation: the only place of this file that knows how it is stored."""
    url = f"sqlite+aiosqlite:///{db}"
    return SQLAlchemySession.from_url(
        SESSION_ID, url=url, create_tables=True, codec=codec, keys=keys
    )


async def hold_two_turns(db: Path, codec: str, keys: Keyring | None) -> None:
    """Ask for a hotel, for which the agent calls its tool, and mention an allergy."""
    agent = travel_agent(
        [function_call("find_hotel", {"city": "Lisbon", "nights": 3}, call_id="call-1")],
        [assistant_message("Casa Aurora has a quiet room for you: 288 EUR for 3 nights.")],
        [assistant_message("Noted, Ada: nothing with peanuts.")],
    )
    async with open_session(db, codec, keys) as session:
        hello = "I am Ada Okafor. Find me a quiet hotel in Lisbon for 3 nights."
        await take_turn(agent, hello, session)
        await take_turn(agent, "I will take it. By the way, I am allergic to peanuts.", session)
        if keys:
            # While the session is open, SQLite's write-ahead log holds most of what was written.
            demo.claim_hidden(db, await session.get_items(), but_not=SESSION_ID)


async def hold_third_turn(db: Path, codec: str, keys: Keyring | None) -> None:
    """Ask what only someone who has read the first two turns can know."""
    agent = travel_agent(ModelStep.respond(answer_from_history))
    async with open_session(db, codec, keys) as session:
        await take_turn(agent, "Which hotel is it, and what should its kitchen know?", session)


def answer_from_history(call: ModelCall) -> list[Any]:
    """Stand in for the model: answer from the history that the Runner has handed over."""
    offer = next(item["output"] for item in call.input if "output" in item)
    asked = [item["content"] for item in call.input if item.get("role") == "user"]
    warning = next(text for text in asked if "allergic" in text).partition("By the way, ")[2]
    return [assistant_message(f"{offer}. You told me: {warning}")]


async def take_turn(agent: Agent, question: str, session: SQLAlchemySession) -> None:
    """Run one turn and print it; the Runner reads and extends the session."""
    result = await Runner.run(agent, question, session=session)
    demo.say("user", question)
    demo.say("agent", result.final_output)


async def show_memory(db: Path, codec: str, keys: Keyring | None) -> None:
    """Print each item, and below it the row that holds it."""
    async with open_session(db, codec, keys) as session:
        items = await session.get_items()
    demo.show_rows(items, demo.read_rows(db))
    if codec.startswith("orjson"):
        demo.note("Rows say json for orjson too: both serializers write the same format.")
    answer = items[-1]["content"][0]["text"]
    demo.claim(
        "Casa Aurora" in answer and "peanuts" in answer,
        f"{len(items)} items read back, and the second process knew what the first had heard.",
    )


async def try_to_cheat(db: Path, codec: str, keys: Keyring) -> None:
    """Read with a key that did not write the rows, and read a row that somebody has altered."""
    error = await reading_error(db, codec, Keyring(Key.generate()))
    demo.claim_error(error, "Another key opens nothing")
    with demo.altered_copy(db, row=4) as altered:
        error = await reading_error(altered, codec, keys)
    demo.claim_error(error, "One altered character in row 4 is noticed")


async def reading_error(db: Path, codec: str, keys: Keyring) -> DecodeError | None:
    """Return the error that reading the conversation raises."""
    async with open_session(db, codec, keys) as session:
        try:
            await session.get_items()
        except DecodeError as error:
            return error
    return None


async def rotate_key(db: Path, codec: str, key_file: Path) -> None:
    """Put a new key in front of the old one: the first key writes, and all of them read."""
    old = Keyring.from_file(key_file).primary
    write_keys(key_file, Key.generate(), old)
    keys = Keyring.from_file(key_file)
    async with open_session(db, codec, keys) as session:
        before = len(await session.get_items())
        await session.add_items([{"role": "user", "content": "Thank you, that is all."}])
        after = await session.get_items()
    ids = [row.info.key_id for row in demo.read_rows(db)]
    demo.claim(
        len(after) == before + 1 and ids == [old.id] * before + [keys.primary.id],
        f"Rotated: {before} rows under key {old.id} still open, and the row written since is "
        f"under key {keys.primary.id}.",
    )


def write_keys(key_file: Path, *keys: Key) -> None:
    """Write a key file that nobody else can read; a key never gets onto a command line."""
    with open(key_file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.writelines(f"{key.to_base64()}\n" for key in keys)


def run(db: Path, codec: str, *, encrypted: bool) -> None:
    """Hold the conversation, show what was stored, test what is promised."""
    key_file, keys = db.with_suffix(".keys"), None
    if encrypted:
        write_keys(key_file, Key.generate())
        keys = Keyring.from_file(key_file)
    demo.headline(f"Process {os.getpid()} holds two turns, codec {codec}")
    asyncio.run(hold_two_turns(db, codec, keys))
    # The second process is told where the file is; it finds the keys in the key file.
    command = [sys.executable, __file__, "--codec", codec, "--db", str(db), "--continue"]
    subprocess.run(command, check=True)
    demo.headline("Each item, and the row of the file that holds it")
    asyncio.run(show_memory(db, codec, keys))
    if keys is None:
        demo.note("This codec has no cipher: whoever has the file has the conversation.")
        return
    demo.headline("The promises of encryption")
    asyncio.run(try_to_cheat(db, codec, keys))
    asyncio.run(rotate_key(db, codec, key_file))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="An agent with encrypted memory.")
    parser.add_argument("--codec", default="orjson+aesgcm", help="such as json or orjson+fernet")
    parser.add_argument("--db", type=Path, help="a new SQLite file, to keep; its keys lie beside")
    parser.add_argument("--continue", dest="continued", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    encrypted = args.codec.endswith(("+fernet", "+aesgcm"))
    try:
        Codec.parse(args.codec, keys=Keyring(Key.generate()) if encrypted else None)
    except StrongroomError as error:
        parser.error(str(error))
    set_tracing_disabled(True)
    if args.continued:
        keys = Keyring.from_file(args.db.with_suffix(".keys")) if encrypted else None
        demo.headline(f"Process {os.getpid()} opens the same file and continues")
        asyncio.run(hold_third_turn(args.db, args.codec, keys))
    elif args.db is None:
        with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
            run(Path(folder, "memory.db"), args.codec, encrypted=encrypted)
    elif args.db.exists() or args.db.with_suffix(".keys").exists():
        parser.error(f"{args.db} or its key file exists already: name a new file.")
    else:
        run(args.db.absolute(), args.codec, encrypted=encrypted)


if __name__ == "__main__":
    main()
