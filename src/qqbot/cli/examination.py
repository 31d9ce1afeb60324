"""The checks of `qqbot doctor`: a bot's configuration, the platform, the store.

Responsible for their order, and for leaving out what cannot work after a fault. Collaborators: `reachability` (the way
to each host), `Api`, the session managers, `neighbours`; `findings` keeps the results. It creates no session unless it
is asked to.
"""

import asyncio
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import WSMsgType
from msgspec import MsgspecError, Struct

from ..aio.threads import Threads
from ..api.client import Api, ApiOptions
from ..config import Credentials, Endpoints, GatewayConfig, ShardSelection, is_loopback
from ..errors import (
    ApiError,
    AuthError,
    ConfigError,
    Hint,
    IPNotAllowed,
    NotFound,
    PermissionMissing,
    QQBotError,
    RateLimited,
)
from ..gateway.close_codes import close_rule
from ..gateway.connection import Connection
from ..models.frames import Op, decode_frame, identify
from ..models.gateway import GatewayBot
from ..models.intents import PRIVATE_ONLY, Intents
from ..sessions.cluster.manager import EtcdSessionManager, RedisSessionManager
from ..sessions.cluster.state import ClusterState
from ..sessions.cluster.store import OpenStore, StoreAway
from . import neighbours
from .findings import CHECKS, CheckFailed, Findings
from .neighbours import STORE_SETTINGS, Neighbour
from .reachability import STEP_SECONDS, Reachability, Way

if TYPE_CHECKING:
    from ..sessions.cluster.etcd_store import EtcdStore
    from ..sessions.cluster.redis_store import RedisStore

LOST = 1006  # what stands for a close code if the connection just ended
INTENTS_REFUSED = (4013, 4014)
NO_RIGHT = (11253, 40012010)  # the bot may not use the interface: the old number and the new one


class Patient(Struct, frozen=True, kw_only=True):
    """What is examined. `credentials` None: the bot has none that can be used, as `problem` says.

    `settings` are those of the variables `neighbours.SETTINGS` that are set. `intents` is what the handlers need, None
    without a file; `askers` returns the names of those that ask for any of some intents. `doubts` are sentences about
    the configuration.
    """

    credentials: Credentials | None
    problem: str
    endpoints: Endpoints
    selection: ShardSelection
    options: ApiOptions
    settings: dict[str, str]
    sessions: RedisSessionManager | EtcdSessionManager | None
    intents: Intents | None
    askers: Callable[[Intents], Sequence[str]]
    doubts: Sequence[str]

    def __repr__(self) -> str:
        return "Patient(...)"  # a URL of the store may hold a password


async def examine(patient: Patient, *, identifies: bool) -> Findings:
    """Make all checks; `identifies`: create one session, to see whether the platform grants the intents."""
    findings, threads = Findings(), Threads(4, "qqbot doctor")
    try:
        _check_configuration(patient, findings)
        credentials = patient.credentials or Credentials("1", "none")
        async with Api(credentials, endpoints=patient.endpoints, **patient.options) as api:
            await _PlatformChecks(patient, findings, api, threads).run(identifies=identifies)
        await _check_store(patient, findings)
    finally:
        threads.close()
    for check in CHECKS:
        if not findings.has(check) and check not in ("ipv6", "address", "etcd"):
            findings.skipped(check, "left out, because of a fault above")
    return findings


def _check_configuration(patient: Patient, findings: Findings) -> None:
    for sentence in patient.doubts:
        findings.warning("configuration", sentence, zh="请检查名称", en="check the name")
    if patient.credentials is None:
        findings.fault(
            "configuration",
            patient.problem,
            zh="也可运行 qqbot login 扫码写入 .env",
            en="`qqbot login` writes them into .env",
        )
    else:
        findings.ok("configuration", f"AppID {patient.credentials.app_id}")


class _PlatformChecks:
    """The checks that need the platform; each may raise CheckFailed."""

    def __init__(self, patient: Patient, findings: Findings, api: Api, threads: Threads) -> None:
        self._patient = patient
        self._findings = findings
        self._api = api
        self._reachability = Reachability(api, findings, threads)

    async def run(self, *, identifies: bool) -> None:
        """Make them in order, up to a fault that leaves nothing to check."""
        self._reachability.check_variables()
        endpoints = self._patient.endpoints
        way: Way | None = None
        try:
            for url in (endpoints.token_url, f"{endpoints.api_base}/gateway"):
                way = await self._reachability.check(url)
            if self._patient.credentials is None:
                return
            bot = await self._check_calls()
            way = await self._reachability.check(bot.url)
            self._check_budget(bot)
            alone = self._check_processes(way, bot.url)
            await self._check_websocket(bot, identifies=identifies and alone)
        except CheckFailed:
            if way is not None and self._patient.credentials is not None and not self._findings.has("processes"):
                self._check_processes(way, endpoints.api_base)

    async def _check_calls(self) -> GatewayBot:
        """Get a token and the answer of /gateway/bot."""
        check = "token"
        try:
            async with asyncio.timeout(2 * STEP_SECONDS):
                await self._api.tokens.get()
            self._findings.ok(check, "the platform accepts the AppID and the AppSecret")
            check = "gateway"
            bot = await self._api.gateway.bot(timeout=2 * STEP_SECONDS)
        except (QQBotError, TimeoutError) as error:
            raise self._refused(check, error) from None
        self._findings.ok(check, f"{bot.url}, {bot.shards} shards recommended")
        return bot

    def _refused(self, check: str, error: QQBotError | TimeoutError) -> CheckFailed:
        """Add the fault that the platform names."""
        hint = error.hint if isinstance(error, ApiError) else None
        hint = hint or Hint("平台没有可用的应答：请稍后再试", "the platform gave no usable answer: try again later")
        text = str(error).partition("\n")[0] or "no answer in time"
        match error:
            case IPNotAllowed():
                seen = re.search(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", error.message)
                own = f"the platform saw {seen[0]}" if seen else f"egress {'; '.join(self._findings.texts('egress'))}"
                check, text = "address", f"{text}; {own}"
            case AuthError():
                check = "token"
            case RateLimited():
                self._findings.warning(check, text, zh="请一分钟后再试", en="try again in a minute")
                return CheckFailed(check)
            case _:
                pass
        return self._findings.fault(check, text, zh=hint.zh, en=hint.en)

    def _check_budget(self, bot: GatewayBot) -> None:
        limit = bot.session_start_limit
        _, shards = self._patient.selection.resolve(bot.shards)
        shown = f"{limit.remaining} of {limit.total} sessions left, renewed in {limit.reset_seconds / 3600:.1f} h"
        if limit.remaining >= len(shards):
            self._findings.ok("budget", shown)
            return
        raise self._findings.fault(
            "budget",
            f"{shown}; {len(shards)} are needed",
            zh="会话次数已用完：请等待恢复，并查明机器人为何反复重连",
            en="wait for the renewal, and find out why the bot identifies so often",
        )

    # Other processes

    def _check_processes(self, way: Way, url: str) -> bool:
        """Look for other processes of this bot; return True if there is none that a session of ours would disturb."""
        if not neighbours.can_look():
            self._findings.skipped("processes", "this system does not show them, and the platform reports none")
            return True
        simulated = is_loopback(urlsplit(url).hostname or "")  # a simulator has this one bot
        found = [
            each
            for each in neighbours.connected_to(way.addresses)
            if self._is_same_bot(each, otherwise=not way.proxied) and not self._shares(each)
        ]
        named = ", ".join(f"{each.pid} ({each.command})" for each in found)
        if not found:
            self._findings.ok("processes", "no other process of this bot on this machine (others are not seen)")
        elif simulated or any("QQBOT_APP_ID" in each.settings for each in found):
            self._findings.fault(
                "processes",
                f"another process runs this bot: {named}",
                zh="同一机器人的两个进程会互相断开会话：请停掉一个，或都设置 QQBOT_REDIS_URL 或 QQBOT_ETCD_URL",
                en="two of them end each other's sessions: stop one, or set QQBOT_REDIS_URL or QQBOT_ETCD_URL for both",
            )
        else:
            self._findings.warning(
                "processes",
                f"connected to the gateway as well, perhaps as this bot: {named}",
                zh="若是同一机器人，请停掉一个",
                en="if it is the same bot, stop one",
            )
        return not found

    def _is_same_bot(self, other: Neighbour, *, otherwise: bool) -> bool:
        """True if the process was started with our AppID; `otherwise` if it was started without any."""
        credentials, theirs = self._patient.credentials, other.settings.get("QQBOT_APP_ID")
        return otherwise if theirs is None else credentials is not None and theirs.strip() == credentials.app_id

    def _shares(self, other: Neighbour) -> bool:
        """True if the process and this one share the shards: through a store, or each with a part of them."""
        ours, theirs = self._patient.settings, other.settings
        if ours.get("QQBOT_REDIS_URL") or ours.get("QQBOT_ETCD_URL"):
            return all(ours.get(name) == theirs.get(name) for name in STORE_SETTINGS)
        parts = [each.get("QQBOT_SHARDS", "") for each in (ours, theirs)]
        return all("/" in part for part in parts) and parts[0] != parts[1]

    # The websocket

    async def _check_websocket(self, bot: GatewayBot, *, identifies: bool) -> None:
        api, findings = self._api, self._findings
        config = GatewayConfig(connect_timeout=STEP_SECONDS)
        try:
            connection = await Connection.open(api.session, bot.url, config, api.connect_options)
        except QQBotError as error:
            raise findings.fault(
                "websocket",
                str(error),
                zh="无法建立 WebSocket：请检查代理和防火墙是否允许",
                en="let the proxy and the firewall pass websockets",
            ) from None
        try:
            code = await _close_code(connection, Op.HELLO)
            if code is not None:
                rule = close_rule(code)
                raise findings.fault(
                    "websocket",
                    f"no HELLO: the connection ended with {code} ({rule.reason})",
                    zh="请稍后再试；若使用代理，请检查代理",
                    en="try again later; look at the proxy if there is one",
                )
            findings.ok("websocket", "HELLO came; no session was created")
            await self._check_intents(bot, connection if identifies else None)
        finally:
            await connection.close()

    async def _check_intents(self, bot: GatewayBot, connection: Connection | None) -> None:
        """Check what the handlers need; with a connection by an IDENTIFY."""
        intents, findings = self._patient.intents, self._findings
        if intents is None:
            findings.skipped("intents", "name the file of the bot to see what its handlers need")
        elif connection is not None:
            await self._identify(bot, connection, intents)
        elif private := intents & PRIVATE_ONLY:
            await self._check_private(private)
        else:
            findings.ok("intents", f"{_named(intents)}; --identify tries them, for 1 session of the budget")

    async def _check_private(self, intents: Intents) -> None:
        """Check intents of private bots by a call that only private bots may make: it costs no session."""
        asked = f"{_named(intents)} only for private bots; asked for by {self._askers(intents)}"
        try:
            await self._api.members.of_guild("0", limit=1, timeout=STEP_SECONDS)
        except PermissionMissing as error:
            if error.code in NO_RIGHT:
                self._findings.fault(
                    "intents",
                    f"{asked}; this bot is none: a call of private bots is refused with {error.code}",
                    zh="公域机器人会被断开（4014）：请去掉这些处理函数，或申请私域；--identify 可实测",
                    en="the platform will close with 4014: remove these handlers, or apply; --identify proves it",
                )
                return
        except NotFound:
            self._findings.ok("intents", f"{asked}; this bot may make their calls")
            return
        except QQBotError:
            pass  # it proves nothing
        self._findings.warning(
            "intents",
            asked,
            zh="公域机器人会被断开（4014）；加 --identify 实测（消耗 1 次会话）",
            en="the platform closes with 4014 if this is none; --identify tries it, for 1 session of the budget",
        )

    async def _identify(self, bot: GatewayBot, connection: Connection, intents: Intents) -> None:
        count, indices = self._patient.selection.resolve(bot.shards)
        await connection.send(identify(await self._api.tokens.get(), intents, (indices[0], count)))
        code = await _close_code(connection, Op.DISPATCH)
        if code is None:
            self._findings.ok("intents", f"{_named(intents)}: granted (1 session was used)")
            return
        rule = close_rule(code)
        hint = rule.hint or Hint("请稍后再试", "try again later")
        if code in INTENTS_REFUSED:
            refused = intents & PRIVATE_ONLY or intents
            text = f"refused with {code}: {_named(refused)}, asked for by {self._askers(refused)}"
            raise self._findings.fault("intents", text, zh=hint.zh, en=hint.en)
        raise self._findings.fault(
            "websocket", f"IDENTIFY was answered with {code} ({rule.reason})", zh=hint.zh, en=hint.en
        )

    def _askers(self, intents: Intents) -> str:
        return ", ".join(self._patient.askers(intents)) or "Bot(intents=...)"


def _named(intents: Intents) -> str:
    return ", ".join(each.name or str(each.value) for each in intents) or "no intents"


async def _close_code(connection: Connection, awaited: Op) -> int | None:
    """Return None when a frame of this kind has come, else the code with which the platform closes."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            while (message := await connection.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if decode_frame(message.data).op == awaited:
                    return None
    except (TimeoutError, MsgspecError, ValueError):
        return LOST
    return int(message.data) if message.type is WSMsgType.CLOSE else LOST


# The store


async def _check_store(patient: Patient, findings: Findings) -> None:
    sessions = patient.sessions
    if sessions is None:
        for check in ("redis", "eviction"):
            findings.skipped(
                check, "no server is named: set QQBOT_REDIS_URL or QQBOT_ETCD_URL for processes that share the bot"
            )
    elif isinstance(sessions, EtcdSessionManager):
        for check in ("redis", "eviction"):
            findings.skipped(check, "the processes share the shards through etcd")
        await _check_etcd(sessions.store(_app_id(patient)), findings)
    else:
        await _check_redis(sessions.store(_app_id(patient)), findings)


def _app_id(patient: Patient) -> str:
    return "0" if patient.credentials is None else patient.credentials.app_id


@contextmanager
def _answers(check: str, name: str, variable: str, findings: Findings) -> Generator[None]:
    """Find out whether a store answers; nothing that depends on it is checked if it does not."""
    try:
        yield
    except StoreAway as error:
        findings.fault(
            check,
            f"it does not answer as it should: {error}",
            zh=f"请检查 {name} 是否在运行，以及 {variable}",
            en=f"see that the server runs, and check {variable}",
        )
    except ConfigError as error:
        findings.fault(check, str(error), zh=f"请检查 {variable}", en=f"check {variable}")


def _check_halt(check: str, store: OpenStore, state: ClusterState, findings: Findings) -> None:
    if state.halt is not None:
        findings.fault(
            check,
            f"the cluster is halted: {state.halt.reason}",
            zh="排除原因后运行 qqbot shards unhalt",
            en="mend that, then `qqbot shards unhalt`",
        )
    else:
        findings.ok(check, f"{store} answers; {len(state.nodes)} processes share the bot")


async def _check_redis(records: "RedisStore", findings: Findings) -> None:
    with _answers("redis", "Redis", "QQBOT_REDIS_URL", findings):
        async with records as store:
            await store.check()
            state, policy = await store.look(), await store.eviction_policy()
        _check_halt("redis", store, state, findings)
        if policy != "noeviction":
            findings.fault(
                "eviction",
                f"maxmemory-policy is {policy}: a key that is dropped costs sessions",
                zh="请设为 noeviction：redis-cli config set maxmemory-policy noeviction",
                en="set noeviction: redis-cli config set maxmemory-policy noeviction",
            )
        else:
            findings.ok("eviction", "maxmemory-policy is noeviction")


async def _check_etcd(records: "EtcdStore", findings: Findings) -> None:
    with _answers("etcd", "etcd", "QQBOT_ETCD_URL", findings):
        async with records as store:
            await store.check()
            state, compacted = await store.look(), await store.is_compacted()
        _check_halt("etcd", store, state, findings)
        if not compacted:
            findings.warning(
                "etcd",
                "its history is never compacted, so that it grows until etcd refuses to write",
                zh="请以 --auto-compaction-mode=periodic --auto-compaction-retention=10m 启动 etcd",
                en="start etcd with --auto-compaction-mode=periodic --auto-compaction-retention=10m",
            )
