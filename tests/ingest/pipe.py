"""Two programs over a Unix socket: `intake SOCKET STATE` receives events and passes them on, and
`worker SOCKET LOG` handles them and writes what it handled into LOG, a line each. It is not done with "wait" before
there is a file LOG.go.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from qqbot import Bot, C2CMessageCreate, Context, Envelope, Fence, Intents
from qqbot.config import GatewayConfig
from qqbot.sessions import LocalSessionManager

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.Decoder(list[Envelope]).decode


class SocketSink:
    """Returns when the worker has handled the batch."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            body = encode(batch)
            writer.write(len(body).to_bytes(4, "big") + body)
            await writer.drain()
            if await reader.readexactly(1) != b"!":
                raise ConnectionError("the worker did not acknowledge")
        finally:
            writer.close()


def intake(path: str, state: str) -> None:
    config = GatewayConfig(pace=0.02, identify_window=0.2)
    sessions = LocalSessionManager(state=state, window=config.identify_window)
    Bot(sink=SocketSink(path), sessions=sessions, gateway=config, intents=Intents.GROUP_AND_C2C_EVENT, drain=1).run()


async def worker(path: str, log: Path) -> None:
    bot = Bot()

    @bot.on
    async def note(ctx: Context[C2CMessageCreate]) -> None:
        await asyncio.sleep(0.001)
        while ctx.text == "wait" and not log.with_suffix(".go").exists():
            await asyncio.sleep(0.01)
        with log.open("a") as file:
            file.write(f"{ctx.event_id} {ctx.text}\n")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            batch = decode(await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big")))
            outcomes = await asyncio.gather(*map(bot.handle, batch))
            writer.write(b"!" if set(outcomes) == {"handled"} else b"?")
            await writer.drain()
        finally:
            writer.close()

    async with bot.serve(connect=False), await asyncio.start_unix_server(serve, path) as server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "intake":
        intake(sys.argv[2], sys.argv[3])
    else:
        Path(sys.argv[2]).unlink(missing_ok=True)
        asyncio.run(worker(sys.argv[2], Path(sys.argv[3])))
