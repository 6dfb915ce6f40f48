"""A process that makes tables, or adds their index, as ``create_tables=True`` does."""

from strongroom import SessionStore
from workers import serve

stores = {}


async def work(task):
    """Make the tables of a round and write a first item."""
    options = {"codec": "orjson", "column_type": task["column_type"], **task["names"]}
    if task["url"] not in stores:
        stores[task["url"]] = SessionStore.from_url(task["url"])
        async with stores[task["url"]].engine.connect():
            pass
    store = SessionStore(
        stores[task["url"]].engine, create_tables=not task.get("upgrade"), **options
    )
    if task.get("upgrade"):
        return await store.upgrade()
    await store.session("s").add_items([{"by": task["by"], "batch": 0, "n": n} for n in range(3)])
    return None


serve(work)
