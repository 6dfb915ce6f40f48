"""A user's begin event sets the tenant for PostgreSQL's row-level security: transactions=True."""

import asyncio
import contextlib
from contextvars import ContextVar

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from bouncer import CONNECT_ARGS, pgbouncer
from histories import n
from proxy import counting_proxy
from strongroom import SessionStore

pytestmark = [pytest.mark.databases("postgresql", column_types=("text",)), pytest.mark.no_tables]

tenant = ContextVar("tenant")

POLICIES = """
DO $$ BEGIN CREATE ROLE app LOGIN PASSWORD 'app'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT USAGE ON SCHEMA public TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
ALTER TABLE agent_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON agent_sessions
    USING (starts_with(session_id, current_setting('app.tenant', true) || ':'));
CREATE POLICY tenants ON agent_messages
    USING (starts_with(session_id, current_setting('app.tenant', true) || ':'))
"""


async def make_policies(database):
    await database.store().create_tables()
    for statement in POLICIES.split(";\n"):
        await database.execute(statement)


def engine_of_the_app(url, **options):
    engine = create_async_engine(url.set(username="app", password="app"), **options)

    @event.listens_for(engine.sync_engine, "begin")
    def set_tenant(conn):
        conn.exec_driver_sql("SELECT set_config('app.tenant', $1, true)", (tenant.get(),))

    return engine


async def use(store, name):
    """Work as a tenant, and look at another one's history."""
    tenant.set(name)
    session = store.session(f"{name}:1")
    await session.add_items(n(1, 2, 3))
    assert await session.pop_item() == {"n": 3}
    assert await session.get_items() == n(1, 2)
    await session.replace_items(n(name, name))
    assert [item async for item in session.iter_items(1)] == n(name, name)
    assert await store.session("other:1").get_items() == []
    with pytest.raises(Exception, match="row-level security"):
        await store.session("other:1").add_items(n(1))


@contextlib.asynccontextmanager
async def direct(url):
    yield url, {}


@contextlib.asynccontextmanager
async def bounced(url):
    with pgbouncer(url, app="app") as through:
        yield through, {"connect_args": CONNECT_ARGS}


@pytest.mark.parametrize("way", [direct, bounced])
async def test_each_operation_runs_as_its_tenant(database, way):
    await make_policies(database)
    await database.session("other:1").add_items(n(7))
    async with way(database.url) as (url, options):
        engine = engine_of_the_app(url, **options)
        try:
            store = SessionStore(engine, transactions=True)
            tenant.set("first")
            await asyncio.gather(*(use(store, f"tenant-{k}") for k in range(20)))
        finally:
            await engine.dispose()
    assert await database.session("other:1").get_items() == n(7)
    assert await database.session("tenant-3:1").get_items() == n("tenant-3", "tenant-3")


async def test_without_transactions_the_event_does_not_fire(database):
    await make_policies(database)
    engine = engine_of_the_app(database.url)
    try:
        tenant.set("first")
        with pytest.raises(Exception, match="row-level security"):
            await SessionStore(engine).session("first:1").add_items(n(1))
    finally:
        await engine.dispose()


async def test_the_setting_costs_one_round_trip_beside_begin_and_commit(database):
    await make_policies(database)
    async with counting_proxy(database.url) as trips:
        engine = engine_of_the_app(trips.url, pool_size=1, max_overflow=0)
        try:
            tenant.set("first")
            session = SessionStore(engine, transactions=True).session("first:1")
            await session.add_items(n(1))
            trips.restart()
            await session.add_items(n(2))
            assert trips.count == 4
        finally:
            await engine.dispose()
