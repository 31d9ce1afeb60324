"""`qqbot simulate`: the platform on this machine, and a bot on it to chat with.

Owns what is printed and how the two start and stop; the platform itself is `qqbot.testing.simulator`.
"""

import argparse
import asyncio
import json
import os
import sys
import webbrowser
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..bot import Bot
from ..errors import ConfigError
from ..process import configure_logging, on_signal
from .loading import load_bot
from .pushing import pushing
from .run import FILE_HELP

if TYPE_CHECKING:
    from ..testing.simulator import Simulator

HELP = "try a bot on this machine, without an account"
DEFAULT_PORT = 8765


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Run the platform's simulator with a page to chat on, and a bot: that of FILE, or a demo."
    what = parser.add_mutually_exclusive_group()
    what.add_argument("file", metavar="FILE[:bot]", nargs="?", help=f"{FILE_HELP}; without it the demo bot runs")
    what.add_argument("--no-bot", action="store_true", help="the platform alone, for a bot in another process")
    what.add_argument("--webhook", metavar="URL", help="push events to the webhook of a bot in another process")
    parser.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help=f"listen on this port (default {DEFAULT_PORT}, else any free one)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the page's address, but do not open it")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print addresses and credentials as one line of JSON, for programs",
    )
    parser.set_defaults(command=_simulate)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: use a number from 0 (any free one) to 65535")
    return int(text)


def _simulate(arguments: argparse.Namespace) -> None:
    bot = _bot(arguments)
    configure_logging()
    asyncio.run(_until_signal(arguments, bot))


def _bot(arguments: argparse.Namespace) -> Bot | None:
    if arguments.no_bot or arguments.webhook is not None:
        return None
    if arguments.file is None:
        from .demo import bot

        return bot
    return load_bot(arguments.file)


async def _until_signal(arguments: argparse.Namespace, bot: Bot | None) -> None:
    """Run it all until a signal cancels it; a second signal cuts the bot's drain short."""
    session = asyncio.create_task(_session(arguments, bot))
    with on_signal(session.cancel):
        await asyncio.wait([session])
    if not session.cancelled():
        session.result()


async def _session(arguments: argparse.Namespace, bot: Bot | None) -> None:
    async with AsyncExitStack() as stack:
        simulator = await _listen(stack, arguments.port)
        print(_as_json(simulator) if arguments.json else _as_text(simulator), flush=True)
        if arguments.webhook is not None:
            await stack.enter_async_context(pushing(simulator, arguments.webhook))
        if bot is not None:
            await stack.enter_async_context(simulator.run(bot))
        if not arguments.no_browser and _has_display():
            await asyncio.to_thread(webbrowser.open, simulator.url)
        await (asyncio.Event().wait() if bot is None else bot.wait())


async def _listen(stack: AsyncExitStack, port: int | None) -> "Simulator":
    """Start the simulator. The default port gives way where it is taken, a port that was asked for does not."""
    from ..testing.simulator import Simulator

    try:
        return await stack.enter_async_context(Simulator(port=DEFAULT_PORT if port is None else port))
    except OSError as error:
        if port is not None:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror}): choose another --port, or leave it out. "
                "端口不可用，请换一个"
            ) from None
    return await stack.enter_async_context(Simulator(port=0))


def _has_display() -> bool:
    """Whether a browser could show itself: a text browser would take over the terminal."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _as_json(simulator: "Simulator") -> str:
    names = ("url", "control_token", "api_base", "token_url", "app_id", "secret")
    return json.dumps({name: getattr(simulator, name) for name in names})


def _as_text(simulator: "Simulator") -> str:
    return f"""\
Chat with the bot on this page (打开此页即可与机器人聊天):

  {simulator.url}

To point a bot in another process, or another SDK, at this platform (让其他进程或其他 SDK 的机器人连到这里):

  export QQBOT_API_BASE={simulator.api_base}
  export QQBOT_TOKEN_URL={simulator.token_url}
  export QQBOT_APP_ID={simulator.app_id}
  export QQBOT_SECRET={simulator.secret}

Ctrl+C ends it (按 Ctrl+C 结束).
"""
