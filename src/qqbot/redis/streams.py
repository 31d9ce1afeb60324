"""`RedisStreamSink`: stores events in the streams of a Redis or Valkey.

Responsible for the names of the keys, the form of an entry, and what publishing promises: order, fencing, bounds.
Collaborators: `stream_source` reads them, `connection` makes the client. An entry is deleted when a worker has finished
it, so the length of a stream is what waits, and nothing unread is ever trimmed.
"""

import hashlib
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from .._visible import visible_line
from ..aio.forks import check_process
from ..aio.throttle import Throttle
from ..config import Secret, hidden, whole_number
from ..errors import ConfigError, FencedOut, QQBotError
from ..models.codec import pack, unpacker
from ..models.ingest import PARTITIONS, Envelope, Fence, check_partitions, partition_of
from .connection import (
    FAILURES,
    OPERATION_SECONDS,
    Client,
    check_url,
    hash_tag,
    is_away,
    is_moved,
    opened,
    repeated,
    shown,
    within,
)
from .stream_calls import Part, PartCalls, PartScript, text

log = logging.getLogger(__name__)

MAX_LENGTH = 100_000
VERSION = b"1"
GROUP = "workers"

decode_envelope = unpacker(Envelope)

# KEYS[1]   the stream
# KEYS[2]   of each shard, the largest token and the digest of its last batch
# ARGV[1]   the shard; '' for events by webhook
# ARGV[2]   its token
# ARGV[3]   digest of the batch
# ARGV[4]   the most entries of the stream
# ARGV[5..] the envelopes
# returns   1; 0 if the stream is full; the largest token, as text, if that is larger than ours
#
# A batch that was sent again because its answer was lost finds its own digest.
PUBLISH = PartScript("""
if ARGV[1] ~= '' then
    local token = redis.call('HGET', KEYS[2], ARGV[1])
    if token and tonumber(token) > tonumber(ARGV[2]) then return token end
    if redis.call('HGET', KEYS[2], ARGV[1] .. ' last') == ARGV[3] then return 1 end
end
local length = redis.call('XLEN', KEYS[1])
if length > 0 and length + #ARGV - 4 > tonumber(ARGV[4]) then return 0 end
for place = 5, #ARGV do redis.call('XADD', KEYS[1], '*', 'v', '1', 'e', ARGV[place]) end
if ARGV[1] ~= '' then
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2], ARGV[1] .. ' last', ARGV[3])
end
return 1
""")


class Topic(Struct, frozen=True):
    """The streams of one bot under one name."""

    app_id: str
    name: str
    partitions: int

    @property
    def settings_key(self) -> str:
        """The number of partitions: all processes have to agree on it."""
        return f"qqbot:{hash_tag(self.app_id, self.name)}:partitions"

    @property
    def members_key(self) -> str:
        """The workers, by the time of their last beat."""
        return f"qqbot:{hash_tag(self.app_id, self.name)}:workers"

    @property
    def began_key(self) -> str:
        """The workers, by the time of their first beat."""
        return f"{self.members_key}:began"

    def key(self, index: int, what: str) -> str:
        """Return a key of one partition, which a Redis Cluster keeps together."""
        return f"qqbot:{{{self.app_id}:{self.name}:{index}}}:{what}"

    def stream(self, index: int) -> str:
        """Return the key of the stream of one partition."""
        return self.key(index, "stream")

    async def agree(self, client: Client) -> None:
        """Check that all processes use the same number of partitions.  Raises: ConfigError, what the library raises."""
        untyped: Any = client

        async def ask() -> object:
            await untyped.execute_command("SET", self.settings_key, self.partitions, "NX")
            return await untyped.execute_command("GET", self.settings_key)

        found = await within(OPERATION_SECONDS, repeated(client, ask))
        known = visible_line(text(found), 20) if isinstance(found, bytes | str) else str(self.partitions)
        if known != str(self.partitions):
            raise ConfigError(
                f"the streams {self.name!r} of the bot {self.app_id} have {known} partitions, not {self.partitions}: "
                f"use partitions={known}, or another name. 分区数与已有的不一致，请改用 {known}"
            )


def check_topic(name: str, partitions: int) -> None:
    """Check the options that sink and source share.  Raises: ConfigError."""
    hash_tag("", name, "stream")
    check_partitions(partitions)


def split_options(url: str | Secret) -> tuple[Secret, dict[str, str]]:
    """Return a URL without the options of the streams, and these: stream, partitions, max_length.

    Raises: ConfigError.
    """
    check_url(url)
    base, found, query = hidden(url).reveal().partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    ours = {name: value for name, value in pairs if name in ("stream", "partitions", "max_length")}
    rest = [(name, value) for name, value in pairs if name not in ours]
    return Secret(f"{base}?{urlencode(rest)}" if found and rest else base), ours


@asynccontextmanager
async def reachable(store: "Client | Secret", what: str, warnings: Throttle) -> AsyncGenerator[Client]:
    """Yield a client; log if the store is away.  Raises: ConfigError if it refuses us."""
    async with opened(store) as client:
        untyped: Any = client
        try:
            await within(OPERATION_SECONDS, repeated(client, lambda: untyped.execute_command("PING")))
        except FAILURES as error:
            if is_refusal(error):
                raise refused(error, what) from None
            place = shown(store.reveal()) if isinstance(store, Secret) else "its store"
            if warnings.ready("away"):
                log.warning(
                    "%s: %s does not answer, waiting until it does: %s. 存储暂不可用，等待恢复",
                    *(what, place, worded(error)),
                )
        yield client


def worded(error: Exception) -> str:
    """Return an error of the library in one line; its `repr` does not have the text."""
    return visible_line(f"{type(error).__name__}: {error}".rstrip(":. "))


def is_refusal(error: Exception) -> bool:
    """True if the store will not serve us, or its certificate is not trusted, until a person corrects something."""
    return not is_away(error) or _untrusted(error) is not None


def _untrusted(error: Exception) -> ssl.SSLCertVerificationError | None:
    """Return why a certificate is not trusted, if it is not: the library has its own error for all of TLS."""
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, ssl.SSLCertVerificationError) else None


def refused(error: Exception, what: str) -> ConfigError:
    """Return the error for a store that will not serve us until a person corrects something."""
    if is_moved(error):
        return ConfigError(
            f"{what}: the store is a node of a Cluster: write redis+cluster:// or rediss+cluster:// in its URL. "
            "该存储是集群节点，请改用 redis+cluster:// 地址"
        )
    if (untrusted := _untrusted(error)) is not None:
        return ConfigError(
            f"{what}: the certificate of the store is not trusted: {untrusted.verify_message}. Give the file of its "
            "authority as ssl_ca_certs in the URL. 存储的证书不受信任，请在地址中用 ssl_ca_certs 指定 CA 证书文件"
        )
    return ConfigError(
        f"{what}: the store refuses us: {visible_line(str(error)).rstrip('. ')}. "
        "Check user, password and rights in its URL, and that nothing else writes its keys. "
        "存储拒绝访问，请检查地址中的用户名、密码和权限，以及键是否被其他程序占用"
    )


class RedisStreamSink:
    """An `EventSink` in Redis or Valkey: `Bot(sink=RedisStreamSink("redis://..."))`.

    `store`: a URL, or a client of the redis library, which stays open. `name` and `partitions` have to be the same in
    the `RedisStreamSource`; the number of partitions bounds that of workers, and is fixed once the name was used.
    `max_length`: events of one bot that wait at most; more are refused, so that the intake stops reading.

    An event is as safe as the store: a server that must not lose one when it is killed needs `appendfsync always`.

    Raises: ConfigError for options that cannot be right; when it is entered, if the store refuses us.
    """

    def __init__(
        self,
        store: Client | str | Secret,
        *,
        name: str = "events",
        partitions: int = PARTITIONS,
        max_length: int = MAX_LENGTH,
    ) -> None:
        self._store: Client | Secret = hidden(store)
        del store  # a URL holds a password, and a traceback may show the variables of its frames
        check_topic(name, partitions)
        if max_length < partitions:
            raise ConfigError(
                f"max_length must be at least {partitions}: one event for each partition. "
                f"max_length 至少应为 {partitions}"
            )
        self._name = name
        self._partitions = partitions
        self._most = str(max_length // partitions)
        self._calls: PartCalls | None = None  # None while it is not entered
        self._pid = 0  # of the process that entered it
        self._stack = AsyncExitStack()
        self._agreed: set[str] = set()  # the bots whose number of partitions is known to be ours

    @classmethod
    def from_url(cls, url: str | Secret) -> Self:
        """Return the sink of `redis://host/0?stream=NAME&partitions=16&max_length=100000`.  Raises: ConfigError."""
        rest, options = split_options(url)
        return cls(
            rest,
            name=options.get("stream", "events"),
            partitions=whole_number(options, "partitions", PARTITIONS),
            max_length=whole_number(options, "max_length", MAX_LENGTH),
        )

    async def __aenter__(self) -> Self:
        stack = AsyncExitStack()
        self._calls = PartCalls(await stack.enter_async_context(reachable(self._store, "RedisStreamSink", Throttle())))
        self._pid = os.getpid()
        self._stack = stack
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls = None
        self._agreed.clear()
        await self._stack.aclose()

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:
        """Store the events, in order.

        Raises: FencedOut if a later owner of the shard has published; QQBotError while the streams are full;
        ConfigError if the store refuses us, or for another number of partitions; what the library raises.
        """
        calls = self._calls
        if calls is None:
            raise ConfigError("RedisStreamSink is entered by the bot that publishes: `async with sink:` if you do so")
        check_process(self._pid, "RedisStreamSink")
        topics = dict[str, Topic]()
        parts = dict[tuple[str, int], list[Envelope]]()
        for envelope in batch:
            app_id = envelope.app_id
            topic = topics.setdefault(app_id, Topic(app_id, self._name, self._partitions))
            parts.setdefault((app_id, partition_of(envelope.key, topic.partitions)), []).append(envelope)
        for app_id in topics.keys() - self._agreed:
            await self._agree(calls.client, topics[app_id])
        shard = "" if fence.shard is None else f"{fence.shard.gen}:{fence.shard}"
        script_parts = [
            self._part(topics[app_id], index, part, shard, fence) for (app_id, index), part in parts.items()
        ]
        answers = await calls.run(PUBLISH, script_parts, again=True)
        errors = [self._error(*each, fence) for each in zip(script_parts, answers, strict=True)]
        failed = [error for error in errors if error is not None]
        for error in sorted(failed, key=lambda error: not isinstance(error, FencedOut)):
            raise error

    async def check_for(self, app_id: str) -> None:
        """Check that the other processes of the bot use the same number of partitions.  Raises: ConfigError."""
        if self._calls is not None:
            with suppress(*FAILURES):  # a store that is away was logged when the sink was entered
                await self._agree(self._calls.client, Topic(app_id, self._name, self._partitions))

    async def _agree(self, client: Client, topic: Topic) -> None:
        """Check the number of partitions, once for each bot.  Raises: ConfigError, what the library raises."""
        try:
            await topic.agree(client)
        except FAILURES as failure:
            raise _judged(failure) from None
        self._agreed.add(topic.app_id)

    def _part(self, topic: Topic, index: int, part: Sequence[Envelope], shard: str, fence: Fence) -> Part:
        """Return what the script gets for one partition."""
        digest = hashlib.blake2b("\0".join(each.id for each in part).encode("utf-8", "surrogatepass"), digest_size=16)
        keys = [topic.stream(index), topic.key(index, "shards")]
        return Part(keys, [shard, fence.token, digest.hexdigest(), self._most, *map(pack, part)])

    def _error(self, part: Part, answer: object, fence: Fence) -> BaseException | None:
        """Return why a part was not stored; None if it was."""
        if isinstance(answer, BaseException):
            return _judged(answer)
        if isinstance(answer, bytes | str):
            return FencedOut(f"a later owner of shard {fence.shard} has published", token=int(answer))
        if answer == 0:
            return QQBotError(
                f"the stream {part.keys[0]} is full: {self._most} events wait there. Start workers, or more of "
                "them. 事件流已满，请启动更多 worker"
            )
        return None


def _judged(error: BaseException) -> BaseException:
    """Return an error of a call; ConfigError if it stays until a person corrects something."""
    return refused(error, "RedisStreamSink") if isinstance(error, FAILURES) and is_refusal(error) else error
