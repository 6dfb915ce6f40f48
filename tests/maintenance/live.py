"""The processes of test_recode_live: workers on sessions of their own, and the recode."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from strongroom import Codec, Key, Keyring, SessionStore
from strongroom.maintenance import recode

OLD_FORMS = ("json", "msgpack+zlib", "orjson+fernet", "msgpack+aesgcm")
NEW_FORM = "orjson+aesgcm"


def stores(config: dict) -> tuple[list[SessionStore], SessionStore]:
    """Return a store for each old form, and the one that recodes; all read everything."""
    old, new = Key.from_base64(config["old"]), Key.from_base64(config["new"])
    options = {"column_type": config["column_type"]}
    target = SessionStore.from_url(
        config["url"],
        codec=Codec.parse(NEW_FORM, keys=Keyring(new, old), accept=("plaintext", "fernet")),
        **options,
    )
    writers = []
    for spec in OLD_FORMS:
        sealed = "fernet" in spec or "aesgcm" in spec
        accept = [name for name in ("fernet", "aesgcm") if name not in spec]
        codec = Codec.parse(
            spec, keys=Keyring(old, new), accept=[*accept, "plaintext"] if sealed else accept
        )
        writers.append(SessionStore(target.engine, codec=codec, **options))
    return writers, target


def item(rng: random.Random) -> dict:
    return {"role": "user", "content": "é" * rng.randrange(400), "n": rng.randrange(2**70)}


def first_items(session_id: str, rows: int) -> list[dict]:
    rng = random.Random(session_id)
    return [item(rng) for _ in range(rows)]


async def fill(config: dict, names: list[str]) -> None:
    writers, target = stores(config)
    async with target:
        for name in names:
            items = first_items(name, config["rows"])
            for start in range(0, len(items), 25):
                writer = writers[start // 25 % len(writers)]
                await writer.session(name).add_items(items[start : start + 25])


async def work(config: dict, number: int) -> None:
    """Append, pop and clear until told to stop, and check every pop against the model."""
    folder = Path(config["folder"])
    rng = random.Random(number)
    writers, target = stores(config)
    names = config["workers"][number]
    model = {name: first_items(name, config["rows"]) for name in names}
    operations = 0
    async with target:
        while not (folder / "stop").exists():
            store = target if (folder / "settle").exists() else rng.choice(writers)
            name = rng.choice(names)
            session, expected = store.session(name), model[name]
            kind = rng.random()
            if kind < 0.5:
                items = [item(rng) for _ in range(rng.randrange(1, 6))]
                await session.add_items(items)
                expected += items
            elif kind < 0.97:
                popped = await session.pop_item()
                assert popped == (expected.pop() if expected else None), "popped another item"
            else:
                await session.clear_session()
                expected.clear()
            operations += 1
            await asyncio.sleep(rng.random() * 0.01)
    (folder / f"model {number}").write_text(json.dumps({"model": model, "operations": operations}))


async def run_recode(config: dict) -> None:
    _, target = stores(config)
    async with target:
        print("begins", flush=True)
        report = await recode(target, batch_rows=config["batch_rows"])
        print(json.dumps({"recoded": report.recoded, "failed": report.failed}), flush=True)


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    if sys.argv[2] == "work":
        asyncio.run(work(settings, int(sys.argv[3])))
    else:
        asyncio.run(run_recode(settings))
