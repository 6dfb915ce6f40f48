"""A process that reads a long session, and says how much memory that took."""

import asyncio
import json
import sys
import tracemalloc

from strongroom import SQLAlchemySession


def peak():
    """Return the most memory that Python's objects have taken, in MB."""
    return tracemalloc.get_traced_memory()[1] / 2**20


async def main(url, rows):
    async with SQLAlchemySession.from_url("long", url=url) as session:
        marks, count = {}, 0
        async for item in session.iter_items():
            assert item["n"] == count
            count += 1
            if count == 5000:
                marks["begun"] = peak()
        assert count == rows
        marks["iterated"] = peak()
        assert len(await session.get_items()) == rows
        marks["all at once"] = peak()
        print(json.dumps(marks))


tracemalloc.start()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
