"""`qqbot simulate`: the platform on this machine, and a bot on it to chat with.

Responsible for the options, the output, and for starting and stopping both. Collaborators: `qqbot.simulator` (the
platform), `scenario` (plays scenarios), `reloading` (restarts a changed bot).
"""

import argparse
import asyncio
import os
import sys
import webbrowser
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from ..bot.bot import Bot
from ..bot.program import configure_logging, run_loop, run_until_signal
from ..errors import ConfigError
from ..sessions.base import SessionManager
from .env_file import read_env_file
from .loading import bot_path, load_bot
from .run import FILE_HELP
from .serving import ConfiguredBot, serve_by_webhook
from .terminal import show, show_json, tell

if TYPE_CHECKING:
    from ..simulator import Simulator

HELP = "try a bot on this machine, without an account"
DEFAULT_PORT = 8765
GATEWAY_BURST, RELOADS = 10, 1_000_000  # a bot that is loaded again asks for the gateway each time
PROFILES = ("public", "private", "uncertified")


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Run the simulator of the platform with a chat page, and the bot of FILE or a demo. 在本机试用"
    what = parser.add_mutually_exclusive_group()
    what.add_argument("file", metavar="FILE[:bot]", nargs="?", help=f"{FILE_HELP}; without it the demo bot runs")
    what.add_argument("--no-bot", action="store_true", help="run the platform alone, for a bot in another process")
    what.add_argument("--webhook", metavar="URL", help="push events to the webhook of a bot in another process")
    parser.add_argument(
        "--port",
        type=_port,
        metavar="N",
        help=f"listen on this port (default {DEFAULT_PORT}, or any free port)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address of the page, but do not open it")
    parser.add_argument("--reload", action="store_true", help="restart the bot when one of its files changes")
    parser.add_argument("--open", metavar="CHAT", help="show a chat that was saved from the page (JSON lines)")
    _define_output(parser)
    _define_platform(parser)
    _define_trials(parser)
    parser.set_defaults(command=_simulate)


def _define_platform(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the platform")
    group.add_argument("--profile", choices=PROFILES, default="public", help="what the bot may do (default public)")
    group.add_argument(
        "--shards", type=_count, metavar="N", default=1, help="the number of shards to recommend (default 1)"
    )


def _define_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--json",
        action="store_true",
        help="print addresses and credentials as one line of JSON, for programs",
    )
    group.add_argument(
        "--print-env",
        action="store_true",
        help="print only the variables that point bots in other processes at it, for a shell or an .env file",
    )


def _define_trials(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("trials")
    group.add_argument(
        "--scenario",
        metavar="NAME",
        help="play a known failure, report which expectations were met, and exit with 0 if all were, else 1; "
        "`all` plays every scenario, `list` names them",
    )
    group.add_argument(
        "--chaos", type=_chance, metavar="P", help="inject a fault with this probability at each event and each call"
    )
    group.add_argument("--seed", type=int, metavar="N", help="repeat the chaos of the run that printed it")


def _chance(text: str) -> float:
    try:
        chance = float(text)
    except ValueError:
        chance = -1.0
    if not 0 < chance <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability: use a number up to 1, as in 0.05")
    return chance


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of shards: use 1 to 1024")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 (any free port) to 65535")
    return int(text)


def _simulate(arguments: argparse.Namespace) -> None:
    if arguments.scenario is not None:
        from .scenario import play

        play(arguments)
        return
    if arguments.reload and arguments.file is None:
        raise ConfigError("--reload needs a FILE: the demo bot has no file to change. 请指定要重新加载的文件")
    configure_logging()
    if not arguments.no_bot and arguments.webhook is None:
        read_env_file(None if arguments.file is None else bot_path(arguments.file))
    bot = _bot(arguments)
    run_loop(run_until_signal(_session(arguments, bot)))


def _bot(arguments: argparse.Namespace) -> Bot | None:
    if arguments.no_bot or arguments.webhook is not None:
        return None
    if arguments.reload:
        bot_path(arguments.file)
        return None
    if arguments.file is None:
        from .demo import bot

        return bot
    return load_bot(arguments.file)


async def _session(arguments: argparse.Namespace, bot: Bot | None) -> None:
    async with AsyncExitStack() as stack:
        simulator = await _listen(stack, arguments)
        _prepare(stack, simulator, arguments)
        _announce(simulator, arguments)
        if arguments.webhook is not None:
            await stack.enter_async_context(serve_by_webhook(simulator, arguments.webhook))
        if bot is not None:
            await stack.enter_async_context(simulator.run(bot))
        if not arguments.no_browser and _has_display():
            await asyncio.to_thread(webbrowser.open, simulator.url)
        if arguments.reload:
            await _reload(simulator, arguments.file)
        await (asyncio.Event().wait() if bot is None else bot.wait())


async def _reload(simulator: "Simulator", target: str) -> None:
    """Serve the bot of a file and its successors; report in the chat what happens to them."""
    from .reloading import serve_reloading

    def serve(bot: Bot, sessions: SessionManager) -> AbstractAsyncContextManager[object]:
        return simulator.run(ConfiguredBot(bot, sessions=sessions))

    def report(text: str, kind: str) -> None:
        tell(f"qqbot: {text}")
        simulator.show_notice(text, name="restarted" if kind == "restarted" else "bot")

    await serve_reloading(target, serve, report)


async def _listen(stack: AsyncExitStack, arguments: argparse.Namespace) -> "Simulator":
    """Start the simulator. If the default port is in use, any free port replaces it; a chosen port is an error."""
    from ..simulator import Simulator

    def make(port: int) -> Simulator:
        return Simulator(
            port=port,
            profile=arguments.profile,
            shards=arguments.shards,
            seed=arguments.seed,
            gateway_burst=RELOADS if arguments.reload else GATEWAY_BURST,
        )

    port = arguments.port
    try:
        return await stack.enter_async_context(make(DEFAULT_PORT if port is None else port))
    except OSError as error:
        if port is not None:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror}): choose another --port, or leave it out. "
                "端口不可用，请换一个"
            ) from None
    return await stack.enter_async_context(make(0))


def _prepare(stack: AsyncExitStack, simulator: "Simulator", arguments: argparse.Namespace) -> None:
    """Make a chat of each scene, open the saved chat, and start the chaos."""
    simulator.channel("general").member("Alice")
    simulator.dms("Alice")
    if arguments.open is not None:
        _open_chat(simulator, Path(arguments.open))
    if arguments.chaos is not None:
        from ..simulator.faults.chaos import unleash

        tell(f"chaos: seed {simulator.seed}")
        unleash(simulator.faults, arguments.chaos)
        stack.callback(_report_chaos, simulator)


def _open_chat(simulator: "Simulator", path: Path) -> None:
    from ..simulator.control.archive import ARCHIVE_LIMIT

    try:
        with path.open("rb") as file:
            data = file.read(ARCHIVE_LIMIT + 1)
        simulator.open_chat(data.decode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. 无法读取该文件，请检查路径") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a saved chat: {error}. 该文件不是保存的聊天记录") from None


def _report_chaos(simulator: "Simulator") -> None:
    struck = ", ".join(f"{name} {count}" for name, count in sorted(simulator.faults.counts.items())) or "none"
    lost = len(simulator.lost_events)
    tell(f"chaos: seed {simulator.seed}; faults: {struck}; lost events: {lost}")


def _announce(simulator: "Simulator", arguments: argparse.Namespace) -> None:
    if arguments.json:
        names = ("url", "control_token", "api_base", "token_url", "app_id", "secret")
        show_json({name: getattr(simulator, name) for name in names})
    elif arguments.print_env:
        show(f"{_as_env(simulator)}\n{_as_env_of_others(simulator)}")
    else:
        show(_as_text(simulator))


def _has_display() -> bool:
    """True if a graphical browser can open: a text browser would take over the terminal."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _as_env(simulator: "Simulator") -> str:
    return f"""\
QQBOT_API_BASE={simulator.api_base}
QQBOT_TOKEN_URL={simulator.token_url}
QQBOT_APP_ID={simulator.app_id}
QQBOT_SECRET={simulator.secret}"""


def _as_env_of_others(simulator: "Simulator") -> str:
    return f"""\
# nonebot-adapter-qq and qqbot-agent-sdk; the client of qq-botpy-sdk takes base_url and token_base_url
QQ_API_BASE={simulator.api_base}
QQ_AUTH_BASE={simulator.token_url}
QQ_TOKEN_URL={simulator.token_url}"""


def _as_text(simulator: "Simulator") -> str:
    return f"""\
Chat with the bot on this page (打开此页即可与机器人聊天):

  {simulator.url}

To point a bot in another process, or another SDK, at this platform (让其他进程或其他 SDK 的机器人连到这里):

{indent(_as_env(simulator), "  export ")}

Ctrl+C ends it (按 Ctrl+C 结束).
"""
