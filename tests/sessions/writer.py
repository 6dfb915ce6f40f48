"""A process of writers, started by the tests with a JSON object: where and what to write."""

import asyncio
import json
import sys

from strongroom import SessionStore


async def write(store, session_id, name, batches, size):
    """Append batches of numbered items, each from a session object of its own."""
    for batch in range(batches):
        session = store.session(session_id)
        await session.add_items([{"by": name, "batch": batch, "n": n} for n in range(size)])


async def main(task):
    """Wait for the others, then write with all writers at once."""
    store = SessionStore.from_url(
        task["url"], create_tables=True, column_type=task["column_type"], codec="orjson"
    )
    async with store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(
            *(
                write(store, session_id, name, task["batches"], task["size"])
                for session_id, name in task["writers"]
            )
        )


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
