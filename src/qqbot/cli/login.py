"""`qqbot login`: get the credentials of a bot by QR code, and write them into `.env`.

Responsible for the code in the terminal, for decrypting the secret, and for the file. Collaborators: `api.onboarding`
(the portal), segno (draws), cryptography (decrypts). It prints no secret, and replaces none without being told to.
"""

import argparse
import asyncio
import base64
import binascii
import io
import os
import re
import secrets
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Credentials, Secret, check_url
from ..errors import ApiError, ConfigError, TransportError
from .env_file import NAME as ENV_FILE
from .terminal import CommandFailed, show

if TYPE_CHECKING:
    from ..api.resources.onboarding import Onboarding
    from ..models.onboarding import BindResult

HELP = "get the credentials of a bot by QR code, and write them into .env"
SOURCE = "qqbot"
NEEDED = {"segno": "cli", "cryptography": "crypto"}
"""Packages, with the extra that brings each."""

POLL_SECONDS = 2.0  # what the portal asks for
PATIENCE = 600.0  # seconds; the portal ends a task earlier
NONCE_BYTES = 12
LINE = re.compile(r"\s*(?:export\s+)?(QQBOT_APP_ID|QQBOT_SECRET)\s*=\s*(.*?)\s*")
PLAIN = re.compile(r"[A-Za-z0-9._~+/=-]+")
EMPTY = ("", "''", '""')


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Show a QR code; scan it with the QQ account that manages the bot, and AppID and AppSecret are written into "
        "the file, which only you can read. 扫码获取机器人凭据，写入 .env"
    )
    parser.epilog = (
        "Exit codes: 0 written, 1 the code expired or the portal failed, 2 usage, 3 a package is missing, or the file "
        "cannot be used or has a secret already."
    )
    parser.add_argument(
        "--file", metavar="FILE", type=Path, default=Path(ENV_FILE), help="the file to write (default: .env)"
    )
    parser.add_argument("--replace", action="store_true", help="replace the credentials that the file has")
    parser.add_argument(
        "--portal", metavar="URL", type=_portal, help="the developers' portal, or a simulator (default: the platform's)"
    )
    parser.set_defaults(command=_login)


def _portal(text: str) -> str:
    try:
        return check_url(text, "--portal").rstrip("/")
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _login(arguments: argparse.Namespace) -> None:
    missing = [package for package in NEEDED if not _is_installed(package)]
    if missing:
        extras = ",".join(NEEDED[package] for package in missing)
        raise ConfigError(
            f"`qqbot login` needs {' and '.join(missing)}: pip install 'aioqqbot[{extras}]'. "
            f"缺少依赖，请运行 pip install 'aioqqbot[{extras}]'"
        )
    path: Path = arguments.file.resolve()
    _check_file(path, replace=arguments.replace)  # before the user scans anything
    try:
        credentials, user = asyncio.run(_ask(arguments.portal))
    except (ApiError, TransportError) as error:
        raise CommandFailed(str(error)) from None
    _write(path, credentials, replace=arguments.replace)
    show(f"{path} has the AppID {credentials.app_id} and its AppSecret; only you can read it. 凭据已写入，请勿提交")
    show(f"Your openid for this bot is {user}. Next: qqbot doctor" if user else "Next: qqbot doctor")


def _is_installed(package: str) -> bool:
    try:
        import_module(package)
    except ImportError:
        return False
    return True


# The portal


async def _ask(portal: str | None) -> tuple[Credentials, str]:
    """Show the code and wait for the scan; return the credentials, and the openid of the user.

    Raises: ApiError, TransportError, CommandFailed.
    """
    from ..api.client import Api
    from ..api.resources.onboarding import Onboarding
    from ..models.onboarding import KEY_BYTES, PORTAL

    key = secrets.token_bytes(KEY_BYTES)
    async with Api(Credentials("1", "none")) as api:  # the portal asks for none
        onboarding = Onboarding(api.call, portal or PORTAL)
        task = await onboarding.create_bind_task(base64.b64encode(key).decode())
        _draw(task.url(SOURCE, portal=portal or PORTAL))
        result = await _scanned(onboarding, task.task_id)
    return _opened(result, key), result.user_openid


def _draw(url: str) -> None:
    import segno

    picture = io.StringIO()
    segno.make(url, error="l").terminal(picture, compact=True, border=2)
    show(picture.getvalue().rstrip("\n"))
    show(f"Scan it with QQ, or open this address there. 请用手机 QQ 扫码，或在 QQ 中打开：\n{url}")


async def _scanned(onboarding: "Onboarding", task_id: str) -> "BindResult":
    """Return the result once the user has agreed.  Raises: CommandFailed if that takes too long."""
    from ..models.onboarding import BindStatus

    ends_at = time.monotonic() + PATIENCE
    while time.monotonic() < ends_at:
        result = await onboarding.poll_bind_result(task_id)
        if result.status == BindStatus.COMPLETED:
            return result
        if result.status == BindStatus.EXPIRED:
            break
        await asyncio.sleep(POLL_SECONDS)
    raise CommandFailed("the code has expired: run `qqbot login` again. 二维码已过期，请重新运行")


def _opened(result: "BindResult", key: bytes) -> Credentials:
    """Return the credentials in the result.  Raises: CommandFailed if they cannot be decrypted or used."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        sealed = base64.b64decode(result.bot_encrypt_secret, validate=True)
        secret = Secret(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None).decode())
        return Credentials(result.bot_appid, secret)
    except (binascii.Error, ValueError, InvalidTag, ConfigError):
        pass
    raise CommandFailed(  # outside of `except`: no context may hold the secret
        "the portal sent credentials that cannot be used: run `qqbot login` again, or copy them from q.qq.com. "
        "平台返回的凭据无法使用，请重试或从 q.qq.com 复制"
    )


# The file


def _check_file(path: Path, *, replace: bool) -> list[str]:
    """Return the lines that stay.  Raises: ConfigError if the file cannot be used, or has what may not be replaced."""
    try:
        content = path.read_bytes() if path.exists() else b""
        lines = content.decode("utf-8-sig").splitlines()
        writable = os.access(path.parent, os.W_OK)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. 无法读取该文件") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8, so it is left as it is. 该文件不是 UTF-8 编码") from None
    if not writable or path.is_dir():
        raise ConfigError(f"{path} cannot be written: its folder is absent or refuses it. 无法写入该文件")
    found = [(line, LINE.fullmatch(line)) for line in lines]
    if not replace and (taken := [match[1] for _, match in found if match and match[2] not in EMPTY]):
        raise ConfigError(
            f"{path} has {' and '.join(dict.fromkeys(taken))} already: --replace replaces them. "
            "该文件中已有凭据；如要替换，请加 --replace"
        )
    return [line for line, match in found if match is None]


def _write(path: Path, credentials: Credentials, *, replace: bool) -> None:
    """Write the file again, as a whole or not at all, for its owner only.  Raises: ConfigError, CommandFailed."""
    lines = _check_file(path, replace=replace)  # again: it may have changed while the user scanned
    lines.append(f"QQBOT_APP_ID={credentials.app_id}")
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            # In no variable: a traceback shows those.
            file.write(f"QQBOT_SECRET={_quoted(credentials.secret.reveal())}\n")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise CommandFailed(f"{path} cannot be written: {error.strerror}. 无法写入该文件") from None


def _quoted(secret: str) -> str:
    if PLAIN.fullmatch(secret):
        return secret
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
