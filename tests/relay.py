"""A TCP relay between a bot and the platform, for network faults: no close frame, or a refused connection."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from tests.sockets import free_port


class Relay:
    """Passes bytes on to a port of this machine, both ways, while it is up."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def up(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """End all connections by a FIN, without a close frame."""
        for writer in tuple(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        try:
            await self._introduce(reader, far_writer)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def _introduce(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the request on with the far port in its Host header: the platform serves no other."""
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head.replace(f":{self.port}\r\n".encode(), f":{self._target}\r\n".encode()))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # one side has ended
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
