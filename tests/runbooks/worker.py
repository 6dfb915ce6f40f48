"""A worker of an application: reads and writes until it is told to stop, and checks what it reads.

Started with a JSON object: a name, the URL, and the configuration, a Python block of the docs.
It writes to a session of its own, where it pops too, and to one that all workers append to. It
prints a line for each round, and in the end what it knows to be stored.
"""

import asyncio
import inspect
import json
import sys
from pathlib import Path

from sqlalchemy.exc import OperationalError

SHARED = "shared"


def opener(task):
    """Return a function from session ids to sessions, as the configuration says."""
    namespace = {}
    exec(Path(task["config"]).read_text(), namespace)
    if "open_store" in namespace:
        return namespace["open_store"](task["url"]).session
    return lambda session_id: namespace["open_session"](task["url"], session_id)


async def patiently(operation, *arguments):
    """Try again where openai-agents' class gives up on a busy SQLite, which has written nothing."""
    for _ in range(400):
        try:
            result = operation(*arguments)
            return await result if inspect.isawaitable(result) else result
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            await asyncio.sleep(0.01)
    raise TimeoutError


async def main(task):
    """Work until a line comes in."""
    name, open_session = task["name"], opener(task)
    mine, shared = open_session(f"own-{name}"), open_session(SHARED)
    model, written, seen = [], [], []
    stop = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    number = 0
    while not stop.done():
        number += 1
        items = [{"role": "user", "content": f"{name} says {number}.{k}"} for k in range(3)]
        await patiently(mine.add_items, items[:2])
        model += items[:2]
        if number % 3 == 0:
            popped = await patiently(mine.pop_item)
            assert popped == model.pop(), f"popped {popped}"
        read = await patiently(mine.get_items)
        assert read == model, f"own session: {len(read)} items instead of {len(model)}"
        await patiently(shared.add_items, items[2:])
        written += items[2:]
        read = await patiently(shared.get_items)
        if task["ordered"]:  # rows of openai-agents' class may appear before those already seen
            assert read[: len(seen)] == seen, f"shared session: the first {len(seen)} changed"
        gone = [item for item in seen if item not in read]
        assert not gone, f"shared session: {gone} of {len(seen)} items are gone"
        assert [item for item in read if item in written] == written, "what was written is gone"
        seen = read
        print(number, flush=True)
        await asyncio.sleep(0.02)
    print(json.dumps({f"own-{name}": model, SHARED: written}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
