"""A proxy on loopback that counts round trips: how often a client spoke and was answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy import URL

_CHUNK = 1 << 16


@dataclass
class RoundTrips:
    """Counts the turns of the conversation, over all connections; ``url`` leads through here."""

    url: URL
    count: int = 0
    connections: int = 0
    sent: list[bytes] = field(default_factory=list)

    def restart(self) -> None:
        """Count from zero."""
        self.count = 0
        self.sent.clear()


@contextlib.asynccontextmanager
async def counting_proxy(url: URL) -> AsyncIterator[RoundTrips]:
    """Stand between a client and the server of a URL."""
    trips = RoundTrips(url)
    serving: set[asyncio.Task[None]] = set()

    async def serve(client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        trips.connections += 1
        server_in, server_out = await asyncio.open_connection(url.host, url.port)
        clients_turn = True

        async def requests() -> None:
            nonlocal clients_turn
            while data := await client_in.read(_CHUNK):
                if clients_turn:
                    trips.count += 1
                    clients_turn = False
                trips.sent.append(data)
                server_out.write(data)
                await server_out.drain()
            server_out.close()

        async def answers() -> None:
            nonlocal clients_turn
            while data := await server_in.read(_CHUNK):
                clients_turn = True
                client_out.write(data)
                await client_out.drain()
            client_out.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(requests(), answers())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    trips.url = url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    try:
        yield trips
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
