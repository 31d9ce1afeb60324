"""Serve the bot of a file on the simulator, and load it again when one of its files changes.

Responsible for noticing changes, and for reporting errors of a file or a handler in the chat. Collaborators: `loading`
(imports the file), the simulator, which goes on with chat and session, so that the new bot RESUMEs.
"""

import asyncio
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..aio.background import background
from ..errors import QQBotError
from ..sessions.local import LocalSessionManager
from .loading import bot_path, load_bot
from .serving import ConfiguredBot
from .terminal import tell

if TYPE_CHECKING:
    from ..simulator import Simulator

_POLL_SECONDS = 0.2
_FOREIGN = [*(Path(path) for path in set(sysconfig.get_paths().values())), Path(__file__).parent.parent]
"""Folders of modules that do not belong to the bot, though its folder may hold them: an environment, this package."""

_Stamp = tuple[int, int]


async def serve_reloading(simulator: "Simulator", target: str) -> None:
    """Serve the bot of `target` (FILE or FILE:name) and its successors, until cancelled."""
    sources = Sources(bot_path(target))
    with tempfile.TemporaryDirectory(prefix="qqbot-") as folder:
        sessions = LocalSessionManager(state=Path(folder) / "sessions.json")
        while True:
            async with background(sources.changed(), name="qqbot reload") as (changed,):
                try:
                    await _serve_until(changed, simulator, target, sessions)
                except QQBotError as error:  # a file that cannot be loaded, or a refusal of the platform
                    _report(simulator, str(error))
                except Exception as error:  # noqa: BLE001 - a lifespan may raise anything
                    _report(simulator, _traceback(error))
                await changed
            _report(simulator, "a file has changed: the bot starts again. 文件已修改，机器人重新启动", name="restarted")
            sources.forget()


async def _serve_until(
    changed: "asyncio.Task[object]", simulator: "Simulator", target: str, sessions: LocalSessionManager
) -> None:
    """Serve one bot until a file changes, or it ends."""
    bot = await asyncio.to_thread(load_bot, target)
    async with (
        simulator.run(ConfiguredBot(bot, sessions=sessions)),
        background(bot.wait(), name="qqbot end") as (ended,),
    ):
        await asyncio.wait([changed, ended], return_when=asyncio.FIRST_COMPLETED)


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def _report(simulator: "Simulator", text: str, *, name: str = "bot") -> None:
    tell(f"qqbot: {text}")
    simulator.show_notice(text, name=name)


class Sources:
    """The files of a bot: the file itself, those beside it, and the imported modules below that folder."""

    def __init__(self, file: Path) -> None:
        self._file = file.resolve()
        self._folder = self._file.parent
        self._foreign = [root for root in _FOREIGN if root.is_relative_to(self._folder) and root != self._folder]
        self._seen = self._stamps()
        sys.dont_write_bytecode = True  # the cache cannot tell two changes in one second apart

    async def changed(self) -> None:
        """Return when a file was changed, added or removed, and the writing is over."""
        while (now := await asyncio.to_thread(self._stamps)) == self._seen:  # noqa: ASYNC110 - files have no event
            await asyncio.sleep(_POLL_SECONDS)
        while now != (later := await self._later()):
            now = later
        self._seen = now

    async def _later(self) -> dict[Path, _Stamp]:
        await asyncio.sleep(_POLL_SECONDS)
        return await asyncio.to_thread(self._stamps)

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
        here = path.suffix == ".py" and path.is_relative_to(self._folder)
        return here and not any(path.is_relative_to(root) for root in self._foreign)

    def _stamps(self) -> dict[Path, _Stamp]:
        """Return the time and size of each file."""
        paths = {self._file, *self._folder.glob("*.py"), *(path for _, path in self._modules())}
        return {path: stamp for path in paths if (stamp := _stamp(path)) is not None}


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
