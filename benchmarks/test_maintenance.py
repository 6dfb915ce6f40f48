"""Work over a whole store: verifying it, recoding it to another codec, copying it."""

from __future__ import annotations

import pytest

import corpus
from strongroom import Key, Keyring, SessionStore, maintenance

SESSIONS = 20
ITEMS = 27
ROWS = SESSIONS * ITEMS
OLD, NEW = Key.generate(), Key.generate()


@pytest.fixture
def stores(site, loop):
    """Make stores in databases of their own, filled or empty, and close them."""
    made = []

    def make(*, url=None, fill=False, **options):
        url = url or site.make_database()
        store = SessionStore.from_url(url, create_tables=True, **options)
        made.append(store)

        async def put():
            await store.create_tables()
            for number in range(SESSIONS if fill else 0):
                await store.session(f"user {number}").add_items(corpus.items("chat", ITEMS))

        loop.run_until_complete(put())
        return store, url

    yield make
    for store in made:
        loop.run_until_complete(store.aclose())


def run(loop, work):
    return lambda: loop.run_until_complete(work())


@pytest.mark.parametrize("codec", ["orjson", "orjson+aesgcm"])
def test_verify(benchmark, loop, site, stores, codec):
    benchmark.group = f"{site.name}: verify {ROWS} rows"
    keys = Keyring(OLD) if codec.endswith("aesgcm") else None
    store, _ = stores(fill=True, codec=codec, keys=keys)
    report = benchmark.pedantic(run(loop, lambda: maintenance.verify(store)), rounds=5)
    assert report.ok
    assert report.rows == ROWS


def test_recode_to_another_key(benchmark, loop, site, stores):
    benchmark.group = f"{site.name}: recode {ROWS} rows to another key"
    _, url = stores(fill=True, codec="orjson+aesgcm", keys=Keyring(OLD))
    rings = [Keyring(NEW, OLD), Keyring(OLD, NEW)]
    turned = [stores(url=url, codec="orjson+aesgcm", keys=ring)[0] for ring in rings]
    turns = iter(turned * 100)
    report = benchmark.pedantic(run(loop, lambda: maintenance.recode(next(turns))), rounds=5)
    assert report.ok
    assert report.recoded == ROWS


def test_copy_to_another_database_and_codec(benchmark, loop, site, stores):
    benchmark.group = f"{site.name}: copy {ROWS} rows"
    source, _ = stores(fill=True, codec="json")
    targets = iter([stores(codec="orjson+aesgcm", keys=Keyring(NEW))[0] for _ in range(5)])
    report = benchmark.pedantic(
        run(loop, lambda: maintenance.copy(source, next(targets))), rounds=5
    )
    assert report.ok
    assert report.copied == ROWS
