"""Processes that write histories with a ledger: started, and killed, by the tests."""

import asyncio

from strongroom import FileWitness, Key, Keyring, Ledger, SessionStore


def ledger_of(key, witness):
    return Ledger(Keyring(Key(key)), FileWitness(witness) if witness else None)


def append_batches(url, column_type, key, names, batches, size, witness=None):
    """Append numbered batches to one session, each name as a task of its own."""

    async def write(store, name):
        for batch in range(batches):
            session = store.session("s")
            await session.add_items([{"by": name, "batch": batch, "n": n} for n in range(size)])

    async def work():
        options = {"column_type": column_type, "ledger": ledger_of(key, witness)}
        async with SessionStore.from_url(url, codec="orjson", **options) as store:
            await asyncio.gather(*(write(store, name) for name in names))

    asyncio.run(work())


def write_until_killed(url, column_type, key, witness, begun):
    """Append, pop, replace and clear for ever, telling when the first change is stored."""

    async def work():
        options = {"column_type": column_type, "ledger": ledger_of(key, witness)}
        async with SessionStore.from_url(url, codec="orjson", **options) as store:
            session = store.session("s")
            for turn in range(1_000_000):
                size = 1 + turn % 20
                batch = [{"turn": turn, "n": n, "of": size} for n in range(size)]
                if turn % 11 == 10:
                    await session.clear_session()
                elif turn % 7 == 6:
                    await session.replace_items(batch)
                else:
                    await session.add_items(batch)
                if turn % 3 == 2:
                    await session.pop_item()
                    await session.add_items([{"turn": turn, "n": 0, "of": 1}])
                begun.set()

    asyncio.run(work())
