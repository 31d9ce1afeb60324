"""Load the file of a user, as `python FILE` does but without its `__main__` block, and find the bot in it.

Responsible for the errors of a file that cannot be used. It does not run the bot: the commands do.
"""

import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType

from ..bot.bot import Bot
from ..bot.program import is_loaded_from, loading, second_copy
from ..errors import ConfigError

MODULE_NAME = "__qqbot_file__"
"""Not `__main__`, whose block must not run. The file's own name is a second one, for the modules that import it."""


def load_bot(target: str) -> Bot:
    """Return the bot of `FILE`, or for `FILE:name` the bot with that name.

    The folder of the file is put on `sys.path`.

    Raises: ConfigError if the file cannot be read or run, or has no such bot.
    """
    path, name = _split(target)
    module = _execute(_compile(path), path)
    if (copy := second_copy(module)) is not None:
        raise ConfigError(
            f"{path} was loaded twice: a module that it imports imports it again as {copy}, and adds its handlers to "
            f"another bot than the one that runs. Import it there as {path.stem}, or create the bot in a module of its "
            f"own. 文件被加载了两次，请以 {path.stem} 导入，或把 Bot 放到单独的模块中"
        )
    return _named(module, name, path) if name else _only(module, path)


def bot_path(target: str) -> Path:
    """Return the path in `FILE` or `FILE:name`.  Raises: ConfigError if there is no such file."""
    path, _ = _split(target)
    if not path.is_file():
        raise ConfigError(f"{path} cannot be read: No such file or directory. 无法读取该文件，请检查路径")
    return path


def _split(target: str) -> tuple[Path, str]:
    head, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier() or Path(target).is_file():
        return Path(target), ""
    return Path(head), name


def _compile(path: Path) -> CodeType:
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. 无法读取该文件，请检查路径") from None
    except (SyntaxError, ValueError) as error:  # a null byte is a ValueError before Python 3.12
        what = "".join(traceback.format_exception_only(error)).rstrip()
        raise ConfigError(f"{path} is not valid Python:\n{what}") from None


def _execute(code: CodeType, path: Path) -> ModuleType:
    """Run the top level of the file as a module: dataclasses and annotations look their names up there."""
    module = ModuleType(MODULE_NAME)
    module.__file__ = str(path)
    sys.modules[MODULE_NAME] = module
    _name(module, path)
    sys.path.insert(0, str(path.resolve().parent))
    token = loading.set(str(path))
    try:
        exec(code, module.__dict__)  # noqa: S102 - to run this file is what the user asked for
    except ConfigError as error:
        raise ConfigError(f"{path}, line {_line(error, path)}: {error}") from None
    except SystemExit:
        raise ConfigError(
            f"{path} ended the program while it was being loaded: put code that runs it under "
            '`if __name__ == "__main__":`'
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever the file raises is an error in the file
        raise ConfigError(f"{path} failed while it was being loaded:\n{_own_traceback(error)}") from None
    finally:
        loading.reset(token)
    return module


def _name(module: ModuleType, path: Path) -> None:
    """Let `import bot` in a module that `bot.py` imports find the module that runs, not load the file again."""
    taken = sys.modules.get(path.stem)
    if taken is None or is_loaded_from(taken, path):
        sys.modules[path.stem] = module


def _line(error: BaseException, path: Path) -> int | None:
    """Return the line of the file that led to the error."""
    own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return own[-1] if own else None


def _own_traceback(error: Exception) -> str:
    """Return the traceback without the frames of this module."""
    frames = error.__traceback__ and error.__traceback__.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _bots(module: ModuleType) -> dict[str, Bot]:
    """Return the bots of the file by name; a bot with two names counts once."""
    found: dict[str, Bot] = {}
    for name, value in vars(module).items():
        if isinstance(value, Bot) and not any(value is known for known in found.values()):
            found[name] = value
    return found


def _only(module: ModuleType, path: Path) -> Bot:
    bots = _bots(module)
    if not bots:
        raise ConfigError(
            f"{path} has no bot at its top level: write `bot = Bot()` there. 文件顶层没有 Bot，请写上 bot = Bot()"
        )
    if len(bots) > 1:
        first = next(iter(bots))
        raise ConfigError(
            f"{path} has {len(bots)} bots ({', '.join(bots)}): name one of them, as in {path}:{first}. "
            "文件中有多个 Bot，请指明一个"
        )
    return next(iter(bots.values()))


def _named(module: ModuleType, name: str, path: Path) -> Bot:
    value = getattr(module, name, None)
    if isinstance(value, Bot):
        return value
    what = "nothing with that name" if value is None else f"a {type(value).__name__} under that name"
    bots = ", ".join(_bots(module)) or "none"
    raise ConfigError(f"{path}:{name} is not a bot: the file has {what}; its bots: {bots}")
