"""Configuration as frozen values: credentials, addresses, gateway timings, shards; and the environment.

Responsible for reading and checking these values, and for the list of the variables (`VARIABLES`). It keeps no global
state. All times are in seconds, all sizes in bytes.
"""

import ipaddress
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from ._visible import visible_line
from .errors import ConfigError

VARIABLES = {
    "QQBOT_APP_ID": "the bot's AppID",
    "QQBOT_SECRET": "the bot's AppSecret",
    "QQBOT_SECRET_FILE": "a file that holds the AppSecret, instead of QQBOT_SECRET",
    "QQBOT_PREVIOUS_SECRET": "the AppSecret that webhook calls may still be signed with while it is being changed",
    "QQBOT_API_BASE": "the base of the OpenAPI (default: the platform's)",
    "QQBOT_TOKEN_URL": "the address that issues access tokens (default: derived from the base)",
    "QQBOT_GATEWAY_URL": "the address of the gateway, for a relay (default: what the platform answers)",
    "QQBOT_SHARDS": "20 (exactly), 20+ (at least) or 0-3/16 (only these); default: what the platform recommends",
    "QQBOT_REDIS_URL": "the Redis server through which processes share the shards",
    "QQBOT_ETCD_URL": "the etcd through which processes share the shards, in place of Redis",
    "QQBOT_CLUSTER": "the name of the cluster that shares them (default: default)",
    "QQBOT_BROKER_URL": "the broker between `qqbot intake` and `qqbot work`, in place of --to and --from",
    "QQBOT_LOG": "debug (shows bodies, secrets masked), info, warning or error",
}
"""Every environment variable that the package reads, with the sentence that `qqbot run --help` shows."""


LONGEST_URL = 2048
LONGEST_NAME = 255  # bytes of a file name, on all common file systems
LONGEST_HOST, LONGEST_LABEL = 253, 63  # RFC 1035
T = TypeVar("T")
LONGEST_SECRET_FILE = 64 * 1024


class Secret:
    """A string that never shows itself; `reveal()` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        raise TypeError("a Secret is not pickled: pass it through the environment")


def scheme_shown(url: Secret) -> str:
    """Return the scheme of a URL as an error may show it; "none" for any other text, which may be secret."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]{0,19})://", url.reveal())
    return found[1] if found else "none"


def hidden(value: str | T) -> Secret | T:
    """Return a text as a Secret, anything else as it is: a traceback may show the variables of its frames."""
    return Secret(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, init=False)
class Credentials:
    """AppID and AppSecret of one bot, as the console at q.qq.com shows them.

    `previous`: an earlier AppSecret that webhook calls may still be signed with, while it is being changed.

    Raises: ConfigError if one is missing or cannot be right.
    """

    app_id: str
    secret: Secret
    previous: Secret | None

    def __init__(self, app_id: str | int, secret: str | Secret, *, previous: str | Secret | None = None) -> None:
        number, secret = Secret(str(app_id).strip()), _wrapped(secret)
        previous = None if previous is None else _wrapped(previous)
        del app_id  # it may be the secret, and a traceback may show its frames' variables
        _refuse_marks(number, "app_id")
        if not (number.reveal().isascii() and number.reveal().isdigit()):
            raise ConfigError(
                "app_id must be the bot's AppID, a decimal number (what was given is not shown: it may be the secret; "
                "were the two swapped?). AppID 是 q.qq.com 开发设置中的一串数字，请检查是否与 AppSecret 填反"
            )
        object.__setattr__(self, "app_id", number.reveal())
        object.__setattr__(self, "secret", _checked_secret(secret, "secret"))
        object.__setattr__(self, "previous", None if previous is None else _checked_secret(previous, "previous"))

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The AppSecrets that webhook calls may be signed with, the current one first."""
        return (self.secret,) if self.previous is None else (self.secret, self.previous)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Credentials":
        """Read QQBOT_APP_ID, QQBOT_SECRET or the file that QQBOT_SECRET_FILE names, and QQBOT_PREVIOUS_SECRET.

        Raises: ConfigError if one is missing.
        """
        known = _guarded(environ)
        del environ  # a traceback may show the variables of its frames
        app_id = known["QQBOT_APP_ID"]  # it may be the secret
        _refuse_quotes(app_id, "QQBOT_APP_ID")
        if not app_id:
            raise ConfigError(
                "no credentials: set QQBOT_APP_ID and QQBOT_SECRET (or QQBOT_SECRET_FILE), or pass "
                "Bot(Credentials(app_id, secret)). To try a bot without an account: qqbot simulate FILE. "
                "缺少凭据：请设置 QQBOT_APP_ID 和 QQBOT_SECRET"
            )
        previous = known["QQBOT_PREVIOUS_SECRET"]
        _refuse_blanks(previous, "QQBOT_PREVIOUS_SECRET")
        return cls(app_id.reveal(), _secret_from(known), previous=previous or None)


def _guarded(environ: Mapping[str, str]) -> dict[str, Secret]:
    """Return the variables of the package; '' for one that is not set."""
    return {name: Secret(environ.get(name, "")) for name in VARIABLES}


def _value(known: Mapping[str, Secret], name: str) -> str:
    """Return a variable.  Raises: ConfigError if it is still quoted."""
    _refuse_quotes(known[name], name)
    return known[name].reveal()


def variable(name: str) -> str:
    """Return a variable of the environment, '' if it is not set.  Raises: ConfigError if it is still quoted."""
    return _value(_guarded(os.environ), name)


_QUOTES = ('""', "''", "“”", "‘’", "``")


def _refuse_quotes(value: Secret, name: str) -> None:
    text = value.reveal().strip()
    quoted = len(text) > 1 and text[0] + text[-1] in _QUOTES
    del text
    if quoted:
        raise ConfigError(
            f"{name} begins and ends with a quotation mark (its value is not shown here): docker's env files keep the "
            "quotes that a shell removes. Write it without them. 该值首尾带有引号，请去掉引号"
        )


def _refuse_marks(value: Secret, name: str) -> None:
    """Name what an editor or an env file added to a value.  Raises: ConfigError."""
    _refuse_quotes(value, name)
    if value.reveal().startswith("\ufeff"):
        raise ConfigError(
            f"{name} begins with a byte order mark, U+FEFF (its value is not shown here): save its file as UTF-8 "
            "without BOM. 该值以 BOM 开头，请将文件存为无 BOM 的 UTF-8"
        )


def _refuse_blanks(value: Secret, name: str) -> None:
    """Name what was copied with a value, or stands behind it in an env file.  Raises: ConfigError."""
    _refuse_marks(value, name)
    if len(value.reveal().split()) > 1 and value.reveal() == value.reveal().strip():
        raise ConfigError(
            f"{name} has a blank or a line break inside (its value is not shown here): copy it again, without what "
            "follows it. 该值中间有空格或换行，请重新复制"
        )


def _wrapped(secret: object) -> Secret:
    """Return the secret; an empty one for any other type, such as None for a variable that is not set."""
    wrapped = hidden(secret)
    return wrapped if isinstance(wrapped, Secret) else Secret("")


def _checked_secret(secret: Secret, name: str) -> Secret:
    _refuse_marks(secret, name)
    if not _is_secret(secret.reveal()):
        raise ConfigError(
            f"{name} must be an AppSecret of the bot, without spaces around it or line breaks in it (its value is not "
            "shown here). AppSecret 在 q.qq.com 开发设置中复制"
        )
    return secret


def _is_secret(value: str) -> bool:
    return bool(value.strip()) and value == value.strip() and value.isascii() and value.isprintable()


def _secret_from(known: Mapping[str, Secret]) -> Secret:
    if secret := known["QQBOT_SECRET"]:
        _refuse_blanks(secret, "QQBOT_SECRET")
        return secret
    path = _value(known, "QQBOT_SECRET_FILE")
    if not path:
        raise ConfigError(
            "QQBOT_APP_ID is set, but neither QQBOT_SECRET nor QQBOT_SECRET_FILE is. "
            "缺少 AppSecret：请设置 QQBOT_SECRET"
        )
    try:
        secret = Secret(_read(Path(path)).strip())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    else:
        _refuse_blanks(secret, "the content of QQBOT_SECRET_FILE")
        return secret
    # Outside of `except`, so that the context holds no bytes of the file.
    raise ConfigError(
        f"QQBOT_SECRET_FILE={visible_line(path)} cannot be read: {why}. 无法读取密钥文件，请检查路径和编码"
    )


def _read(path: Path) -> str:
    """Return the text of a file in UTF-8 or, with a byte order mark, UTF-16.  Raises: OSError, ValueError."""
    with path.open("rb") as file:
        content = file.read(LONGEST_SECRET_FILE + 1)
    if len(content) > LONGEST_SECRET_FILE:
        raise ValueError(f"it has more than {LONGEST_SECRET_FILE} bytes")
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of the platform: the base of all API calls, and the address that issues tokens.

    `token_url` defaults to the one that belongs to `api_base`. `gateway_url` is the address of a relay, used in place
    of the one that the platform answers; the session limits are still the platform's.

    Raises: ConfigError if one is not an http(s) URL, or `gateway_url` not a ws(s) URL.
    """

    api_base: str = "https://api.bot.qq.com"
    token_url: str = ""
    gateway_url: str = ""

    def __post_init__(self) -> None:
        base = check_url(self.api_base, "api_base").rstrip("/")
        object.__setattr__(self, "api_base", base)
        object.__setattr__(self, "token_url", check_url(self.token_url or _token_url(base), "token_url"))
        if self.gateway_url:
            check_url(self.gateway_url, "gateway_url", ("ws", "wss"))

    @classmethod
    def production(cls) -> "Endpoints":
        """The single domain of the platform.  Source: changelog of 2026-08-10."""
        return cls()

    @classmethod
    def legacy(cls) -> "Endpoints":
        """The hosts used before 2026-08-10, which still answer."""
        return cls("https://api.sgroup.qq.com")

    @classmethod
    def legacy_sandbox(cls) -> "Endpoints":
        """The old sandbox host."""
        return cls("https://sandbox.api.sgroup.qq.com")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Endpoints":
        """Read QQBOT_API_BASE, QQBOT_TOKEN_URL and QQBOT_GATEWAY_URL; production if they are not set.

        Raises: ConfigError if one is not a URL of its kind.
        """
        known = _guarded(environ)
        del environ  # a traceback may show the variables of its frames
        return cls(
            _value(known, "QQBOT_API_BASE") or cls.api_base_default(),
            _value(known, "QQBOT_TOKEN_URL"),
            _value(known, "QQBOT_GATEWAY_URL"),
        )

    @staticmethod
    def api_base_default() -> str:
        """The base of the production API."""
        return "https://api.bot.qq.com"


def _token_url(base: str) -> str:
    host = urlsplit(base).hostname or ""
    if host == "sgroup.qq.com" or host.endswith(".sgroup.qq.com"):
        return "https://bots.qq.com/app/getAppAccessToken"
    return f"{base}/app/getAppAccessToken"


def check_url(url: str, name: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """Return `url` if it is absolute, of one of `schemes`, and safe to send a token to.

    Raises: ConfigError, naming the setting `name`; plain http and ws are only accepted for loopback hosts.
    """
    shown = re.sub("//[^/]*@", "//***@", repr(url))[:200]  # a password may stand before the host
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises if the port is not a number
        usable = len(url) <= LONGEST_URL and printable(url)  # urlsplit leaves out line breaks in silence
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(f"{name}={shown} is not a URL; expected something like {schemes[-1]}://host") from None
    if not usable:
        raise ConfigError(
            f"{name}={shown} is not a URL: it has more than {LONGEST_URL} characters, or one of them is a blank, "
            "a line break, a NUL or not ASCII. 地址过长或含有空格、换行等字符"
        )
    if parts.scheme not in schemes or not is_host(host):
        raise ConfigError(f"{name}={shown} is not a URL of {' or '.join(schemes)} with a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{name} must contain neither user, password, query nor fragment")
    if parts.scheme in ("http", "ws") and not is_loopback(host):
        raise ConfigError(f"{name}={shown} would send the access token in the clear; use {schemes[-1]}://")
    return url


def printable(text: str) -> bool:
    """True if `text` is printable ASCII without blanks, as all of a URL is."""
    return re.fullmatch(r"[!-~]*", text) is not None


def is_host(text: object) -> bool:
    """True if `text` can be the name of a host, or an address."""
    if not isinstance(text, str) or not printable(text):
        return False
    labels = text.removesuffix(".").split(".")
    return len(text) <= LONGEST_HOST and all(0 < len(label) <= LONGEST_LABEL for label in labels)


def check_path(path: str | os.PathLike[str], option: str) -> Path:
    """Return `path` if a file could have it.  Raises: ConfigError, naming `option`."""
    text = os.fspath(path)
    try:
        usable = "\0" not in text and all(len(os.fsencode(part)) <= LONGEST_NAME for part in Path(text).parts)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{option}={text!r:.200} is no path of a file: it contains a NUL or half a character, or a name of more "
            f"than {LONGEST_NAME} bytes. 文件路径无效"
        )
    return Path(text)


def is_loopback(host: str) -> bool:
    """True if `host` is this machine, judged by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Deadlines of the gateway, in seconds; the defaults are right for the platform.

    `pace` multiplies every delay before a reconnect (tests make it small); `max_frame_bytes` is the largest frame that
    is accepted. A session that is older than `renew_after` and silent for `renew_silence` is replaced by a new one,
    because some sessions that were resumed for days receive no more events.

    Raises: ConfigError for a value that is not positive.
    """

    connect_timeout: float = 15.0
    hello_timeout: float = 10.0
    ready_timeout: float = 20.0
    resumed_timeout: float = 20.0
    close_code_timeout: float = 5.0
    identify_window: float = 5.0
    pace: float = 1.0
    renew_after: float = 86_400.0
    renew_silence: float = 600.0
    max_frame_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ConfigError(f"GatewayConfig({name}=...) must be greater than 0")


class ShardSelection(Struct, frozen=True):
    """Which shards a bot runs.

    `count`: the number of shards, None for the number that the platform recommends. `at_least`: `count` is a lower
    bound. `only`: the indices that this process runs, without coordination.
    """

    count: int | None = None
    at_least: bool = False
    only: range | None = None

    @classmethod
    def parse(cls, value: "int | str | ShardSelection | None") -> "ShardSelection":
        """Read `20` (exactly), `20+` (at least), `0-3/16` (only these), or None (as recommended).

        Raises: ConfigError for anything else.
        """
        if isinstance(value, ShardSelection):
            return value
        text = "" if value is None else str(value).strip()
        try:
            return cls._parse(text)
        except ValueError:
            raise ConfigError(
                f"shards={value!r} is not understood: use 20 (exactly 20), '20+' (at least 20) or "
                "'0-3/16' (only shards 0 to 3 of 16)"
            ) from None

    @classmethod
    def _parse(cls, text: str) -> "ShardSelection":
        if not text:
            return cls()
        if "/" in text:
            span, _, total = text.partition("/")
            first, _, last = span.partition("-")
            only = range(int(first), int(last or first) + 1)
            if not only or only.start < 0 or only.stop > int(total):
                raise ValueError
            return cls(int(total), only=only)
        count = int(text.removesuffix("+"))
        if count < 1:
            raise ValueError
        return cls(count, at_least=text.endswith("+"))

    @property
    def fixed(self) -> bool:
        """True if the user fixed the count, so that it must not grow by itself."""
        return self.count is not None and not self.at_least

    def resolve(self, recommended: int) -> tuple[int, range]:
        """Return the count to identify with and the indices to run here."""
        count = recommended if self.count is None else self.count
        if self.at_least:
            count = max(count, recommended)
        return count, self.only or range(count)


class ClusterConfig(Struct, frozen=True):
    """How processes share shards: the store and its URL, which may contain a password, and the name of the cluster."""

    store: Literal["redis", "etcd"]
    url: Secret
    cluster: str = "default"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "ClusterConfig | None":
        """Read QQBOT_REDIS_URL or QQBOT_ETCD_URL, and QQBOT_CLUSTER; None if no URL is set.

        Raises: ConfigError for two URLs, and for a cluster without one.
        """
        known = _guarded(environ)
        del environ  # a traceback may show the variables of its frames
        redis, etcd, cluster = known["QQBOT_REDIS_URL"], known["QQBOT_ETCD_URL"], _value(known, "QQBOT_CLUSTER")
        _refuse_blanks(redis, "QQBOT_REDIS_URL")
        _refuse_blanks(etcd, "QQBOT_ETCD_URL")
        if redis and etcd:
            raise ConfigError(
                "QQBOT_REDIS_URL and QQBOT_ETCD_URL are both set, and a cluster has one store: unset one of them, on "
                "all processes the same. 同时设置了 QQBOT_REDIS_URL 和 QQBOT_ETCD_URL，请只保留一个，各进程须一致"
            )
        if redis or etcd:
            return cls("redis" if redis else "etcd", redis or etcd, cluster or "default")
        if cluster:
            raise ConfigError(
                f"QQBOT_CLUSTER={visible_line(cluster)} is set, but neither QQBOT_REDIS_URL nor QQBOT_ETCD_URL is: "
                "without a server there is no cluster. "
                "设置了 QQBOT_CLUSTER，但没有设置 QQBOT_REDIS_URL 或 QQBOT_ETCD_URL"
            )
        return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a clause that names what is closest to a misspelt name, '' if nothing is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - rarely needed, and slow to import

    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}? 是否想写 {close[0]}？" if close else ""


def whole_number(options: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the options of a URL.  Raises: ConfigError, without the value: it may be a secret's."""
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ConfigError(f"the option {name} of the URL is not a whole number. 地址中的选项 {name} 应为整数")
    return int(text)


def check_options(owner: str, given: Iterable[str], known: Collection[str]) -> None:
    """Check the names of options that a function takes as it gets them.  Raises: ConfigError for an unknown one."""
    for name in given:
        if name not in known:
            raise ConfigError(f"{owner} has no option {name}. {owner} 没有选项 {name}{did_you_mean(name, known)}")


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence for each QQBOT_* variable that the package does not read, with the name that may be meant."""
    return [
        f"{name} is not a variable of qqbot{did_you_mean(name, VARIABLES)}"
        for name in sorted(environ)
        if name.startswith("QQBOT_") and name not in VARIABLES
    ]
