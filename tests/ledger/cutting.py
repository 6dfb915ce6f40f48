"""A proxy that lets a request through and loses its answer."""

import asyncio
import contextlib
from dataclasses import dataclass

from sqlalchemy import URL


@dataclass
class Scissors:
    """``arm`` it: the next request that is told by ``when`` is executed, and never answered.

    Where it is ``late``, the server gets the request only after the client has lost its connection.
    """

    url: URL
    when: object = None
    late: float = 0.0
    cuts: int = 0

    def arm(self, when, late=0.0):
        self.when, self.late, self.cuts = when, late, 0


@contextlib.asynccontextmanager
async def cutting_proxy(url):
    """Stand between a client and the server of a URL."""
    scissors = Scissors(url)
    tasks = set()

    async def serve(client_in, client_out):
        tasks.add(asyncio.current_task())
        server_in, server_out = await asyncio.open_connection(url.host, url.port)
        lost = False

        async def requests():
            nonlocal lost
            while data := await client_in.read(1 << 16):
                cut = scissors.when is not None and scissors.when(data)
                if cut:
                    scissors.when, lost = None, True
                    scissors.cuts += 1
                    if scissors.late:
                        client_out.close()
                        await asyncio.sleep(scissors.late)
                server_out.write(data)
                await server_out.drain()
            if not lost:
                server_out.close()

        async def answers():
            while data := await server_in.read(1 << 16):
                if lost:
                    # The answer is here, so what was asked for is done.
                    client_out.close()
                    return
                client_out.write(data)
                await client_out.drain()
            client_out.close()

        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(requests(), answers())
        finally:
            for writer in (client_out, server_out):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scissors.url = url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    try:
        yield scissors
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
