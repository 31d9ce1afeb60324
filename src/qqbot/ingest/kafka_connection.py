"""`Cluster`: the Kafka servers that a URL names, and how they are reached.

Responsible for the URL, for logging in, for making and checking topics, for judging errors, and for ending what
aiokafka has begun. Collaborators: aiokafka, of the extra `kafka`; `kafka` and `kafka_source` use it. It does not know
what is stored.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, unquote

from .._visible import visible_line
from ..aio.ending import end_tasks
from ..aio.loops import refuse_eager_tasks
from ..aio.throttle import Throttle
from ..aio.unawaited import take_error
from ..config import Secret
from ..errors import ConfigError
from ..models.ingest import check_partitions

try:
    # The library has no types; so its modules are values here.
    aiokafka: Any = import_module("aiokafka")
    admin: Any = import_module("aiokafka.admin")
    errors: Any = import_module("aiokafka.errors")
    create_conn: Any = import_module("aiokafka.conn").create_conn
except ModuleNotFoundError as missing:
    raise ConfigError(
        "Kafka needs the package aiokafka: pip install 'aioqqbot[kafka]'. "
        "使用 Kafka 需要安装 aiokafka：pip install 'aioqqbot[kafka]'"
    ) from missing

log = logging.getLogger(__name__)

TOPIC = "qqbot-events"
OPERATION_SECONDS = 5.0
FETCH_SECONDS = 0.05  # for which the server keeps a request for new events open; Tansu answers only then
CLOSE_SECONDS, CLOSE_ATTEMPTS = 2.0, 10

FAILURES: tuple[type[Exception], ...] = (errors.KafkaError, OSError)
"""All errors of a call of the library, an expired `asyncio.timeout` included."""

REFUSALS: tuple[type[Exception], ...] = (
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.IncompatibleBrokerVersion,
    errors.InvalidSessionTimeoutError,
    errors.InvalidTopicError,
    ssl.SSLCertVerificationError,
)
"""Errors that stay until a person corrects something."""

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SCHEMES = ("kafka", "kafka+ssl")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_OPTIONS = (
    *("topic", "partitions", "idempotence", "session_timeout", "rebalance_timeout"),
    *("sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile"),
)
FORM = "kafka://user:password@host:9092,host:9092?topic=NAME&partitions=16, or kafka+ssl:// for TLS"


class Cluster:
    """The servers that a URL names, and how they are reached. Its repr shows no secret."""

    def __init__(self, url: Secret) -> None:
        self.options = dict[str, str]()
        self.servers: list[str] = []
        self.client: dict[str, Any] = {}  # for the constructors of the library; it may hold a password
        self.warnings = Throttle()
        if (wrong := self._read(url.reveal())) is not None:
            raise ConfigError(
                f"the Kafka URL cannot be used: {wrong}. Expected: {FORM}; special characters of a password are "
                "written as %XX. Kafka 地址无法使用，请检查格式；密码中的特殊字符请写成 %XX"
            )

    def __repr__(self) -> str:
        return f"Cluster({', '.join(self.servers)})"

    def _read(self, url: str) -> str | None:
        """Take a URL apart; return what is wrong with it. It raises nothing, as its variables hold the password."""
        base, _, query = url.partition("?")
        scheme, found, place = base.partition("://")
        if not found or scheme.lower() not in _SCHEMES:
            return "it has another scheme"
        self.options = dict(parse_qsl(query, keep_blank_values=True))
        if any("@" in name or ("@" in value and not name.startswith("ssl_")) for name, value in self.options.items()):
            return "an '@' stands behind its hosts"
        if unknown := [name for name in self.options if name not in _OPTIONS]:
            return f"the option {visible_line(unknown[0], 40)!r} is unknown, the options are {', '.join(_OPTIONS)}"
        login, _, hosts = place.rstrip("/").rpartition("@")
        for host in hosts.split(","):
            name, colon, port = host.rpartition(":")
            if not re.fullmatch(r"[^\s/#]+", name if colon else port) or (colon and not _is_port(port)):
                return "its hosts are not understood"
            self.servers.append(host if colon else f"{host}:9092")
        tls = scheme.lower() == "kafka+ssl"
        self.client = {"bootstrap_servers": self.servers, "security_protocol": "SSL" if tls else "PLAINTEXT"}
        if tls and (wrong := self._read_certificates()) is not None:
            return wrong
        return self._read_login(login, tls=tls)

    def _read_certificates(self) -> str | None:
        try:
            context = ssl.create_default_context(cafile=self.options.get("ssl_cafile"))
            if (own := self.options.get("ssl_certfile")) is not None:
                context.load_cert_chain(own, self.options.get("ssl_keyfile"))
        except (OSError, ValueError):
            return "a file of its options ssl_cafile, ssl_certfile or ssl_keyfile cannot be read"
        self.client["ssl_context"] = context
        return None

    def _read_login(self, login: str, *, tls: bool) -> str | None:
        mechanism = self.options.get("sasl_mechanism", "PLAIN")
        if mechanism not in _MECHANISMS:
            return f"its option sasl_mechanism is none of {', '.join(_MECHANISMS)}"
        user, found, password = login.partition(":")
        if not login:
            return "its option sasl_mechanism needs user:password@" if "sasl_mechanism" in self.options else None
        if not found:
            return "its user has no password"
        self.client |= {
            "security_protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
        return None

    def seconds(self, name: str, default: float) -> float:
        """Return a number of seconds of the URL's options.  Raises: ConfigError."""
        text = self.options.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise ConfigError(f"the option {name} of the URL is not a number of seconds. 地址中的选项 {name} 应为秒数")
        return float(text)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false of the URL's options.  Raises: ConfigError."""
        text = self.options.get(name, str(default).lower())
        if text not in ("true", "false"):
            raise ConfigError(
                f"the option {name} of the URL is neither true nor false. 地址中的选项 {name} 应为 true 或 false"
            )
        return text == "true"

    async def away(self, error: BaseException, what: str) -> None:
        """Log that the servers cannot be used now, once a minute.  Raises: ConfigError if they refuse us."""
        refusal = error if isinstance(error, REFUSALS) else await self._refusal()
        if refusal is not None:
            raise ConfigError(
                f"{what}: Kafka refuses us: {worded(refusal)}. Check user, password, certificates, rights and the "
                "options of its URL. Kafka 拒绝访问，请检查用户名、密码、证书、权限和地址中的选项"
            ) from None
        if self.warnings.ready(what):
            log.warning(
                "%s: Kafka at %s does not answer, waiting until it does: %s. Kafka 暂不可用，等待恢复",
                *(what, ", ".join(self.servers), worded(error)),
            )

    async def _refusal(self) -> BaseException | None:
        """Return why the first server that answers refuses us: the library reports that it is away."""
        options = {name: value for name, value in self.client.items() if name != "bootstrap_servers"}
        for server in self.servers:
            host, _, port = server.rpartition(":")
            try:
                async with asyncio.timeout(OPERATION_SECONDS):
                    connection = await create_conn(
                        host.strip("[]"),
                        int(port),
                        client_id="qqbot",
                        request_timeout_ms=ms(OPERATION_SECONDS),
                        **options,
                    )
            except REFUSALS as error:
                return error
            except KeyError:  # the library looks for the server's signature in the server's error
                refused: Exception = errors.SaslAuthenticationFailed("the user or the password is wrong")
                return refused
            except FAILURES:
                continue
            await connection.close()
            return None
        return None

    async def prepare(self, topic: str, partitions: int, others: Sequence[tuple[str, int]] = ()) -> None:
        """Make the topics that do not exist; `others` are compacted.

        Raises: ConfigError if Kafka refuses us, if `topic` has another number of partitions, or may not be made; what
        the library raises.
        """
        refuse_eager_tasks("Kafka's client, aiokafka,")
        if (refusal := await self._refusal()) is not None:
            raise refusal
        client = admin.AIOKafkaAdminClient(**self.client, request_timeout_ms=ms(OPERATION_SECONDS))
        try:
            await whole(client.start())
            known = set(await client.list_topics())
            wanted = [_new_topic(topic, partitions, {})]
            wanted += [_new_topic(name, count, {"cleanup.policy": "compact"}) for name, count in others]
            if missing := [each for each in wanted if each.name not in known]:
                answer = await client.create_topics(missing)
                for name, code, *_ in answer.topic_errors:
                    _check_created(name, partitions, errors.for_code(code))
            (found,) = await client.describe_topics([topic])
        finally:
            await whole(client.close())
        error = errors.for_code(found["error_code"])
        if error is not errors.NoError or not found["partitions"]:
            raise error() if error is not errors.NoError else errors.LeaderNotAvailableError
        check_count(topic, len(found["partitions"]), partitions)


def check_count(topic: str, found: int, partitions: int) -> None:
    """Check the number of partitions that were found.  Raises: ConfigError."""
    if found != partitions:
        raise ConfigError(
            f"the topic {topic!r} has {found} partitions, not {partitions}: use partitions={found}, or another "
            f"topic. 分区数与已有的不一致，请改用 {found}"
        )


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) < 65_536


def _new_topic(name: str, partitions: int, configs: Mapping[str, str]) -> Any:
    topic = admin.NewTopic(name, partitions, 1, topic_configs=configs)
    topic.replication_factor = -1  # what the server is configured to: the library's constructor refuses it
    return topic


def _check_created(name: str, partitions: int, error: Any) -> None:
    if error is errors.NoError or error is errors.TopicAlreadyExistsError:
        return
    if issubclass(error, (*REFUSALS, errors.InvalidReplicationFactorError, errors.PolicyViolationError)):
        raise ConfigError(
            f"the topic {name!r} does not exist and cannot be made here ({error.__name__}): make it, with {partitions} "
            "partitions if it is that of the events. topic 不存在且无法自动创建，请手动创建"
        )
    raise error()


def check_topic(topic: str, partitions: int) -> None:
    """Check the options that sink and source share.  Raises: ConfigError."""
    if not _TOPIC_NAME.fullmatch(topic) or topic in (".", ".."):
        raise ConfigError(
            f"topic={topic!r} is not a valid name: use 1 to 200 of A-Z, a-z, 0-9, '.', '_' and '-'. "
            "topic 名称只能由 1 到 200 个字母、数字、点、下划线和连字符组成"
        )
    check_partitions(partitions)


def worded(error: BaseException) -> str:
    """Return an error of the library in one line."""
    name, text = type(error).__name__, str(error)
    return visible_line((text if name in text else f"{name}: {text}").rstrip(":. "))


def ms(seconds: float) -> int:
    """Return a time in milliseconds, as the library wants it."""
    return round(seconds * 1000)


async def whole(part: Coroutine[Any, Any, Any]) -> None:
    """Let a part of the library end if we are cancelled, for a while: it would leave a connection open."""
    task = asyncio.create_task(part, name="qqbot kafka")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task], timeout=CLOSE_SECONDS)
        finally:
            await end_tasks([task])
            if task.done() and not task.cancelled():
                task.exception()  # the cancellation is raised instead
        raise


def let_commits_fail(consumer: Any) -> None:
    """Take the errors of commits that are no longer awaited: a timeout ends our waiting, and not the commit."""
    coordinator = consumer._coordinator
    commit = coordinator._do_commit_offsets

    def begin(*arguments: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(commit(*arguments), name="qqbot kafka commit")
        task.add_done_callback(take_error)
        return task

    coordinator._do_commit_offsets = begin


async def stop_client(end: Any, client: Any) -> None:
    """Stop a producer or consumer of the library, also if its server is away or we are cancelled.

    Its `stop` waits for requests that are under way: those are ended by closing the connections.
    """
    stopping = asyncio.create_task(end.stop(), name="qqbot kafka stop")
    interruption: asyncio.CancelledError | None = None
    for _ in range(CLOSE_ATTEMPTS):
        try:
            await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
        except asyncio.CancelledError as error:
            interruption = error  # raised below: the library would leave its tasks and connections behind
        if stopping.done():
            break
        for connection in list(client._conns.values()):
            connection.close()
    await end_tasks([stopping])
    # The library gives up at the first error.
    if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
        await whole(client.close())
    if interruption is not None:
        raise interruption
