"""The `.env` of a bot: its variables are set before the bot is loaded, unless the environment has them already.

Responsible for finding and reading the file; `config` judges the values. It needs python-dotenv (the extra `cli`).
"""

import logging
import os
from io import StringIO
from pathlib import Path

from .._visible import visible_line
from ..errors import ConfigError

log = logging.getLogger(__name__)

NAME = ".env"
MOST_BYTES = 1024 * 1024
HELP = f"Variables are also read from a file {NAME} in the working directory"


def read_env_file(beside: Path | None) -> None:
    """Set the variables of `.env` in the working directory, else in the folder of the file `beside`.

    Log a WARNING if there is such a file, but python-dotenv is missing.

    Raises: ConfigError for a file that cannot be read.
    """
    folders = [Path(), *([] if beside is None else [beside.resolve().parent])]
    path = next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)
    if path is None:
        return
    try:
        from dotenv import dotenv_values
    except ImportError:
        log.warning(
            "%s is not read: that needs python-dotenv, pip install 'aioqqbot[cli]'. "
            "未读取 .env：请安装 pip install 'aioqqbot[cli]'",
            path.resolve(),
        )
        return
    # No interpolation: a password may hold a dollar sign.
    for name, value in dotenv_values(stream=StringIO(_text(path)), interpolate=False).items():
        if value is not None and name not in os.environ:
            _set(name, value, path)


def _text(path: Path) -> str:
    """Return the text of the file, without a byte order mark.  Raises: ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path.resolve()} cannot be read: {error.strerror}. 无法读取 .env") from None
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, "replace")
    if len(content) > MOST_BYTES or "\ufffd" in text:
        raise ConfigError(
            f"{path.resolve()} cannot be read: it is larger than {MOST_BYTES} bytes, or not UTF-8. "
            ".env 过大，或不是 UTF-8 编码"
        )
    return text


def _set(name: str, value: str, path: Path) -> None:
    try:
        os.environ[name] = value
    except (ValueError, OSError):  # a NUL, or a name that no environment has
        pass
    else:
        return
    raise ConfigError(
        f"{path.resolve()}: the value of {visible_line(name, 60)} cannot be set (it is not shown here). "
        "该变量的值无法设置"
    )
