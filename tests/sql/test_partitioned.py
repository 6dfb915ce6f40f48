"""PostgreSQL tables that are partitioned by session id, made as docs/databases.md says."""

import pytest
from sqlalchemy import event

from histories import n

pytestmark = pytest.mark.databases("postgresql-partitioned")


async def test_they_need_no_index_besides_their_primary_key(database, caplog):
    store = database.store()
    await store.session("s").add_items(n(1, 2))
    assert await store.upgrade() is False
    assert caplog.records == []
    kinds = await database.execute(
        "SELECT relkind::text FROM pg_class WHERE oid = 'public.agent_messages'::regclass"
    )
    assert kinds == [("p",)]


OPERATIONS = {
    "get_items": lambda s: s.get_items(),
    "last 20": lambda s: s.get_items(20),
    "iter_items": lambda s: anext(s.iter_items(5)),
    "add_items": lambda s: s.add_items(n(1)),
    "pop_item": lambda s: s.pop_item(),
    "replace_items": lambda s: s.replace_items(n(1)),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_statement_reads_one_partition(database, name):
    for number in range(30):
        await database.session(f"s{number}").add_items(n(*range(40)))
    await database.execute("ANALYZE")
    engine = database.engine()
    seen = []
    session = database.session("s7", engine=engine)
    await session.get_items(0)
    await session.get_items(1)
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: seen.append(args[2:4]))
    await OPERATIONS[name](session)
    statements = list(seen)
    async with engine.connect() as conn:
        for sql, parameters in statements:
            rows = await conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
            assert len(scanned(rows.scalar())) <= 1


def scanned(plan):
    """Return the partitions that a plan, or a list of them, scans."""
    if isinstance(plan, list):
        return set().union(*map(scanned, plan))
    name = str(plan.get("Relation Name"))
    here = {name} if "Scan" in plan.get("Node Type", "") and "messages_" in name else set()
    return here | scanned(plan.get("Plans", [])) | scanned([plan["Plan"]] if "Plan" in plan else [])
