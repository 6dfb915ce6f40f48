"""Processes that the tests kill, or configure differently: what they run, on spawned workers."""

import asyncio

from strongroom import Key, Keyring, SessionStore


def ring(*keys):
    """Return a keyring of keys given as text."""
    return Keyring(*(Key.from_base64(key) for key in keys))


def write_until_killed(url, column_type, codec, keys, name, begun):
    """Append batches of growing size for ever, telling when the first one is stored."""

    async def write():
        options = {"codec": codec, "keys": ring(*keys), "column_type": column_type}
        async with SessionStore.from_url(url, **options) as store:
            for batch in range(1_000_000):
                size = 1 + batch % 30
                await store.session("s").add_items(
                    [{"by": name, "batch": batch, "n": n, "of": size} for n in range(size)]
                )
                begun.set()

    asyncio.run(write())


def append_and_read(url, column_type, codec, keys, name, times):
    """Append and read in turn with one configuration; any row that does not open raises."""

    async def work():
        options = {"codec": codec, "keys": ring(*keys), "column_type": column_type}
        async with SessionStore.from_url(url, **options) as store:
            session = store.session("s")
            for number in range(times):
                await session.add_items([{"by": name, "n": number}])
                assert {"by": name, "n": number} in await session.get_items()

    asyncio.run(work())
