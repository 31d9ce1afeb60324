"""Serve the bot of a file, and load it again when one of its files changes; for `run` and for `simulate`.

Responsible for noticing changes, also while a bot starts, and for the errors of a file. Collaborators: `loading`
(imports the file); the command serves the bot and shows what is reported. The sessions live on, so that the new bot
RESUMEs. Changes come from watchfiles (the extra `cli`), without it by looking at the files five times a second.
"""

import asyncio
import os
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ..aio.background import background
from ..aio.unawaited import take_error
from ..bot.bot import Bot
from ..errors import ConfigError, QQBotError
from ..sessions.base import SessionManager
from ..sessions.local import LocalSessionManager
from .loading import bot_path, load_bot

_POLL_SECONDS = 0.2
_FOREIGN = [*(Path(path) for path in set(sysconfig.get_paths().values())), Path(__file__).parent.parent]
"""Folders of modules that do not belong to the bot, though its folder may hold them: an environment, this package."""

_Stamp = tuple[int, int]

Serve = Callable[[Bot, SessionManager], AbstractAsyncContextManager[object]]
"""Serves a bot while its body runs; the session manager keeps its sessions from one bot to the next."""

Report = Callable[[str, str], None]
"""Shows a text; its second argument is `restarted` or `failed`."""


async def serve_reloading(target: str, serve: Serve, report: Report) -> None:
    """Serve the bot of `target` (FILE or FILE:name) and its successors, until cancelled.

    Raises: ConfigError if there is no such file, or no room for the sessions.
    """
    sources, changed = Sources(bot_path(target)), asyncio.Event()
    try:
        folder = tempfile.TemporaryDirectory(prefix="qqbot-")
    except OSError as error:
        raise ConfigError(f"the sessions cannot be kept meanwhile: {error.strerror}. 无法创建临时目录") from None
    with folder:
        sessions = LocalSessionManager(state=Path(folder.name) / "sessions.json")
        async with background(sources.watch(changed), name="qqbot reload") as (watcher,):
            await asyncio.sleep(0)  # it watches from here on
            while True:
                serving = _serve(target, serve, sessions, report)
                async with background(serving, changed.wait(), name="qqbot reloaded bot") as (_, edited):
                    await asyncio.wait([edited, watcher], return_when=asyncio.FIRST_COMPLETED)
                if watcher.done():
                    watcher.result()
                changed.clear()
                sources.forget()
                report("a file has changed: the bot starts again. 文件已修改，机器人重新启动", "restarted")


async def _serve(target: str, serve: Serve, sessions: SessionManager, report: Report) -> None:
    """Serve one bot until it ends or this task is cancelled; report what ends it."""
    try:
        bot = await _loaded(target)
        async with serve(bot, sessions):
            await bot.wait()
    except QQBotError as error:  # a file that cannot be loaded, or a refusal of the platform
        report(str(error), "failed")
    except Exception as error:  # noqa: BLE001 - a lifespan may raise anything
        report("".join(traceback.format_exception(error)).rstrip(), "failed")


async def _loaded(target: str) -> Bot:
    """Load the bot in a thread; if cancelled, wait for the thread: the next one imports the same modules."""
    loading = asyncio.ensure_future(asyncio.to_thread(load_bot, target))
    try:
        return await asyncio.shield(loading)
    except asyncio.CancelledError:
        await asyncio.wait([loading])
        take_error(loading)
        raise


class Sources:
    """The files of a bot: the Python files in its folder and below, without hidden folders and environments."""

    def __init__(self, file: Path) -> None:
        self._folder = file.resolve().parent
        self._foreign = [root for root in _FOREIGN if root.is_relative_to(self._folder) and root != self._folder]
        sys.dont_write_bytecode = True  # the cache cannot tell two changes in one second apart

    async def watch(self, changed: asyncio.Event) -> None:
        """Set `changed` whenever a file was changed, added or removed, and the writing is over."""
        try:
            from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]
        except ImportError:
            await self._poll(changed)
            return
        async for _ in awatch(self._folder, watch_filter=lambda _, path: self._is_ours(Path(path))):
            changed.set()

    async def _poll(self, changed: asyncio.Event) -> None:
        seen = self._stamps()
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if (now := await asyncio.to_thread(self._stamps)) == seen:
                continue
            while now != seen:
                seen = now
                await asyncio.sleep(_POLL_SECONDS)
                now = await asyncio.to_thread(self._stamps)
            changed.set()

    def forget(self) -> None:
        """Let the modules of the bot be imported again."""
        for name, _ in list(self._modules()):
            del sys.modules[name]

    def _modules(self) -> Iterator[tuple[str, Path]]:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and name != "__main__" and self._is_ours(path := Path(file)):
                yield name, path

    def _is_ours(self, path: Path) -> bool:
        if path.suffix != ".py" or not path.is_relative_to(self._folder):
            return False
        hidden = any(part.startswith((".", "__")) for part in path.relative_to(self._folder).parts[:-1])
        return not hidden and not any(path.is_relative_to(root) for root in self._foreign)

    def _stamps(self) -> dict[Path, _Stamp]:
        """Return the time and size of each file."""
        return {path: stamp for path in self._files() if (stamp := _stamp(path)) is not None}

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._folder):
            here = Path(folder)
            folders[:] = [name for name in folders if self._is_ours(here / name / "any.py") and name != "node_modules"]
            yield from (here / name for name in names if name.endswith(".py"))


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
