"""What a command prints: text from outside is shown, not obeyed, and an output that fails is an error in words.

Responsible for stdout and stderr of the commands, also if they are closed, full, or a pipe without a reader.
Collaborators: `_visible` escapes; `qqbot.cli.main` calls `prepare` and `finish`. It formats nothing.
"""

import contextlib
import io
import json
import os
import sys

from .._visible import visible, visible_json
from ..errors import QQBotError

EXIT_FAILED = 1
_CLEAR = "\x1b[2J\x1b[H"


class CommandFailed(QQBotError):
    """The command could not do what it was called for. `code`: the exit code of the process."""

    def __init__(self, text: str, code: int = EXIT_FAILED) -> None:
        super().__init__(text)
        self.code = code


class _ClosedStream(io.StringIO):
    """Stands for a stream that is closed, so that a bot may print; `show` refuses it."""

    def write(self, text: str) -> int:
        return len(text)


def prepare() -> None:
    """Replace closed streams, and let a terminal that cannot encode Chinese show escapes."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (taken := os.open(os.devnull, os.O_RDWR)) <= 2:  # otherwise a socket gets the number of a standard stream
            pass
        os.close(taken)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BytesIO())
    sys.stdout = sys.stdout or _ClosedStream()
    sys.stderr = sys.stderr or _ClosedStream()
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a replaced stdout may lack it
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def finish() -> bool:
    """Write what is buffered; True if all of it was written, else the reason was printed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        tell(f"qqbot: {_failed(error)}")
        return False
    return True


def show(text: str = "", *, clear: bool = False) -> None:
    """Print `text` and a line break to stdout at once; `clear` empties the terminal before, if it is one.

    Raises: CommandFailed if it cannot be written.
    """
    _write(f"{_CLEAR if clear and sys.stdout.isatty() else ''}{visible(text)}\n")


def show_json(document: object, *, indent: int | None = None) -> None:
    """Print `document` as JSON to stdout.  Raises: CommandFailed if it cannot be written."""
    _write(visible_json(json.dumps(document, ensure_ascii=False, indent=indent)) + "\n")


def _write(text: str) -> None:
    if isinstance(sys.stdout, _ClosedStream):
        raise CommandFailed("the output cannot be written: stdout is closed. 无法输出：stdout 已关闭")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        raise _failed(error) from None


def _failed(error: OSError) -> CommandFailed:
    """Return the words for an error of stdout, and drop what is still buffered: it would fail again at the exit."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return CommandFailed(f"the output cannot be written: {error.strerror}. 无法写入输出")


def tell(text: str) -> None:
    """Print a message of the command to stderr, if it can be written."""
    with contextlib.suppress(OSError):
        print(visible(text), file=sys.stderr, flush=True)
