"""The gateway: what the platform answers to each payload, and the record of all IDENTIFYs and RESUMEs.

Responsible for the protocol between bot and platform, and for carrying out faults.
Collaborators: `connection` (one socket), `sessions` (numbering and replay), `faults.rules` (which fault strikes).
Source: dev-prepare/event-emit/websocket.
"""

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import TypedDict

from aiohttp import web

from .. import wire
from ..faults.kinds import Close, Drop, Duplicate, Fault, HalfOpen, Op7, Op9, Raw, Reorder, StopAcks, TokenExpired
from ..faults.rules import Faults, Strike
from ..state.budget import IdentifyBudget
from ..state.journal import Journal
from ..state.tokens import TokenService
from ..wire import JsonObject
from ..wire.tables import Tables
from .connection import ClientConnection
from .sessions import Dispatch, EventRoute, Session, SessionTable, Shard

CREATE_SESSION_ERROR = 4903
_CONNECTIONS_SHOWN = 20

KEPT = 5000
"""Connections, IDENTIFYs and RESUMEs that are kept, the last ones."""

REORDER_SECONDS = 0.1
"""Seconds to wait for further events before they are sent in reverse order."""


class Identify(TypedDict):
    """One IDENTIFY as it arrived. `time` is monotonic, in seconds."""

    time: float
    shard: Shard | None
    intents: int | None
    connection: int


class ResumeRequest(TypedDict):
    """One RESUME as it arrived. `time` is monotonic, in seconds; `shard` None if the session is unknown."""

    time: float
    session_id: str
    seq: int | None
    shard: Shard | None
    connection: int


class Counter:
    """Counts occurrences that tests wait for; those before the last `mark` do not count."""

    def __init__(self) -> None:
        self.total = 0
        self._seen = 0  # how many a test has already waited for
        self._changed = asyncio.Event()

    def add(self) -> None:
        """Count one occurrence."""
        self.total += 1
        self._changed.set()

    def mark(self) -> None:
        """Ignore all occurrences so far."""
        self._seen = self.total

    async def next(self) -> None:
        """Return when there is one more occurrence than at the last `mark` or return."""
        while self.total <= self._seen:
            self._changed.clear()
            await self._changed.wait()
        self._seen += 1


class GatewayService:
    """Serves the websockets of one bot.

    `may_use_private`: True if the bot may use the intents of private bots.
    """

    def __init__(
        self,
        tables: Tables,
        tokens: TokenService,
        budget: IdentifyBudget,
        journal: Journal,
        *,
        user: Callable[[], JsonObject],
        may_use_private: bool,
        heartbeat_interval: float,
        limit_shards: Callable[[int], None],
        random: Random,
    ) -> None:
        self._tables = tables
        self._tokens = tokens
        self._budget = budget
        self._journal = journal
        self._user = user
        self._may_use_private = may_use_private
        self._limit_shards = limit_shards
        self.heartbeat_interval = heartbeat_interval
        self.sessions = SessionTable()
        self.connections: list[ClientConnection] = []
        self._numbers = itertools.count(1)  # of connections
        self.identifies: deque[Identify] = deque(maxlen=KEPT)
        self.resumes: deque[ResumeRequest] = deque(maxlen=KEPT)
        self.identified = Counter()
        self.resumed = Counter()
        self._became_ready = asyncio.Event()
        self.faults = Faults(self._strike, self._set_limit, random)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket."""
        connection = ClientConnection(next(self._numbers), self._journal, self.heartbeat_interval)
        self.connections.append(connection)
        if len(self.connections) > KEPT:
            ended = (index for index, each in enumerate(self.connections) if not each.open)
            del self.connections[next(ended, 0)]
        return await connection.run(request, self)

    def close_all(self) -> None:
        """Close all connections with 1001, as a platform that shuts down does."""
        for connection in self.connections:
            connection.close(1001, "going away")

    def deliver(self, kind: str, event_id: str, document: object, body: str, shard: int | None) -> int:
        """Append an event to all sessions that it belongs to; return how many these are."""
        intent = self._tables.intent_of(kind)
        return self.sessions.deliver(kind, event_id, body, intent=intent, route=EventRoute(document, shard))

    def why_undelivered(self, document: object, intent: int) -> str:
        """Return why no session received an event: `offline`, `silent` or `intent`."""
        return self.sessions.why_undelivered(EventRoute(document), intent)

    def ready_connections(self, shard: int | None = None) -> list[ClientConnection]:
        """Return the connections that are READY or RESUMED."""
        return [
            connection
            for connection in self.connections
            if connection.ready and connection.open and shard in (None, (connection.shard or (None,))[0])
        ]

    async def wait_session(self, document: object, timeout: float) -> None:
        """Return when there is a session of the shard that an event belongs to, or after `timeout` seconds."""
        route = EventRoute(document)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.sessions.covers(route):
                    await self._next_ready()

    async def wait_ready(self, count: int) -> None:
        """Return when `count` shards are READY or RESUMED at the same time."""
        while len(self.ready_connections()) < count:
            await self._next_ready()

    async def _next_ready(self) -> None:
        self._became_ready.clear()
        await self._became_ready.wait()

    # Receiver: connections report here

    async def opened(self, connection: ClientConnection) -> None:
        """Send HELLO."""
        if await self._goes_well(connection, "connected"):
            connection.send(10, {"heartbeat_interval": int(1000 * self.heartbeat_interval)})

    def ended(self, connection: ClientConnection) -> None:
        """Keep the session for a RESUME."""
        if connection.session is not None and connection.session.listener is connection:
            connection.session.detach()
        connection.session = None  # the table keeps it for a RESUME
        connection.ready = False
        self._publish()

    async def received(self, connection: ClientConnection, data: str | bytes) -> None:
        """Answer one payload."""
        if not connection.open:
            return
        try:
            frame = wire.parse_object(data)
        except ValueError:
            self._journal.frame("from_bot", connection.number, connection.shard, None, _shown(data))
            connection.close(4002, "invalid payload")
            return
        op = frame.get("op")
        op = op if wire.is_integer(op) else None
        self._journal.frame("from_bot", connection.number, connection.shard, op, _masked(frame))
        await self._answer(connection, op, frame.get("d"))

    async def _answer(self, connection: ClientConnection, op: int | None, body: object) -> None:
        match op:
            case 1:
                await self._heartbeat(connection)
            case 2 | 6 if connection.session is not None:
                connection.close(4005, "already authenticated")
            case 2:
                await self._identify(connection, body)
            case 6:
                await self._resume(connection, body)
            case int() if op in self._tables.opcodes and connection.session is None:
                connection.close(4003, "not authenticated")
            case 11:
                pass  # the bot acknowledges a heartbeat of the platform
            case _:
                connection.close(4001, "invalid opcode")

    async def _heartbeat(self, connection: ClientConnection) -> None:
        connection.beat()
        if await self._goes_well(connection, "HEARTBEAT") and connection.acks:
            connection.send(11)

    # IDENTIFY

    async def _identify(self, connection: ClientConnection, body: object) -> None:
        document = body if wire.is_object(body) else {}
        shard, intents = _shard_of(document), document.get("intents")
        mask = intents if wire.is_integer(intents) else None
        self.identifies.append(Identify(time=time.monotonic(), shard=shard, intents=mask, connection=connection.number))
        connection.shard = shard
        violation = self._budget.take()
        if not await self._goes_well(connection, "IDENTIFY"):
            return
        if (refusal := self._refusal(document, shard)) is not None:
            connection.close(*refusal)
        elif violation is not None:
            self._journal.violation(violation)
            self._invalidate(connection, CREATE_SESSION_ERROR, f"create session error: {violation}")
        elif mask is not None and mask & self._forbidden():
            self._invalidate(connection, 4014, "disallowed intents")
        elif shard is not None and mask is not None:
            self._ready(connection, self.sessions.create(shard, mask))

    def _refusal(self, document: JsonObject, shard: Shard | None) -> tuple[int, str] | None:
        token, intents = document.get("token"), document.get("intents")
        if not isinstance(token, str) or not wire.is_integer(intents):
            return 4002, "invalid payload"
        if not token.startswith("QQBot ") or not self._tokens.accepts(token.removeprefix("QQBot ")):
            return 4004, "authentication failed"
        if shard is None:
            return 4010, "invalid shard"
        if intents < 0 or intents & ~self._tables.known_intents:
            return 4013, "invalid intents"
        return None

    def _forbidden(self) -> int:
        return 0 if self._may_use_private else self._tables.private_intents

    def _invalidate(
        self, connection: ClientConnection, code: int | None, reason: str, *, resumable: bool = False
    ) -> None:
        connection.send(9, resumable)
        if code is not None:
            self._close(connection, code, reason)

    def _ready(self, connection: ClientConnection, session: Session) -> None:
        self._attach(connection, session)
        body = {"version": 1, "session_id": session.id, "user": self._user(), "shard": session.shard}
        session.announce("READY", wire.dump(body))

    # RESUME

    async def _resume(self, connection: ClientConnection, body: object) -> None:
        document = body if wire.is_object(body) else {}
        session, seq = self.sessions.find(document.get("session_id")), document.get("seq")
        connection.shard = session.shard if session else None
        seq_given = seq if wire.is_integer(seq) else None
        self.resumes.append(
            ResumeRequest(
                time=time.monotonic(),
                session_id=wire.text_of(document, "session_id"),
                seq=seq_given,
                shard=connection.shard,
                connection=connection.number,
            )
        )
        if not await self._goes_well(connection, "RESUME"):
            return
        if not self._tokens.accepts(wire.text_of(document, "token").removeprefix("QQBot ")):
            connection.close(4004, "authentication failed")
        elif session is None:
            connection.close(4006, "invalid session id")
        elif seq_given is None or not session.can_replay_after(seq_given):
            connection.close(4007, "invalid seq")
        else:
            self._replay(connection, session, seq_given)

    def _replay(self, connection: ClientConnection, session: Session, seq: int) -> None:
        for other in self.connections:
            if other.session is session and other.open:
                other.close(4902, "reset by resume")
        session.replay_after(seq)
        self._attach(connection, session)
        session.announce("RESUMED", '""')

    def _attach(self, connection: ClientConnection, session: Session) -> None:
        for other in self.connections:
            if other.session is session:
                other.session = None
        connection.session = session
        session.listener = connection

    async def announced(self, connection: ClientConnection, kind: str) -> None:
        """Count a connection as ready."""
        (self.resumed if kind == "RESUMED" else self.identified).add()
        connection.ready = True
        self._became_ready.set()
        self._publish()
        await self._goes_well(connection, "live")

    # Faults

    def _strike(self, fault: Fault, shard: int | None) -> None:
        connections = self.ready_connections(shard)
        if not connections:
            where = "" if shard is None else f" of shard {shard}"
            raise ValueError(f"no connection{where} is ready: there is nothing that {fault} could break")
        self.identified.mark()
        self.resumed.mark()
        for connection in connections:
            self.faults.record(Strike(connection.number, "live", "", fault))
            self._carry_out(connection, "live", fault)

    async def _goes_well(self, connection: ClientConnection, moment: str) -> bool:
        """Let the faults of a moment strike; return True if the moment still takes place."""
        fault = await self.faults.at(moment, shard=connection.shard, connection=connection.number)
        if fault is not None and not self._carry_out(connection, moment, fault):
            return False
        return connection.open

    async def sending(self, connection: ClientConnection, dispatch: Dispatch) -> Sequence[Dispatch]:
        """Return what is sent when `dispatch` is due."""
        is_event = bool(dispatch.event_id)
        moment, detail = ("DISPATCH", dispatch.type) if is_event else (dispatch.type, "")
        fault = await self.faults.at(moment, detail, connection.shard, connection.number)
        if not connection.open:  # it closed meanwhile: the session replays what was not sent
            return []
        match fault:
            case None:
                return [dispatch]
            case Duplicate():
                return [dispatch, dispatch]
            case Reorder():
                await asyncio.sleep(REORDER_SECONDS)
                session = connection.session
                following = session.take_events(fault.window - 1) if session is not None else []
                return [dispatch, *following][::-1]
            case _:
                return [dispatch] if self._carry_out(connection, moment, fault) and connection.open else []

    def _carry_out(self, connection: ClientConnection, moment: str, fault: Fault) -> bool:
        """Carry out a fault; return True if the moment still takes place."""
        match fault:
            case Close():
                self._close(connection, fault.code, fault.reason)
            case Drop():
                connection.drop()
            case HalfOpen():
                connection.fall_silent()
            case Op7():
                connection.send(7)
                return moment not in ("IDENTIFY", "RESUME")
            case Op9():
                self._end_session(connection, keep=fault.resumable)
                self._invalidate(connection, fault.close, "", resumable=fault.resumable)
                return moment == "HEARTBEAT" or (fault.resumable and moment in ("READY", "RESUMED", "DISPATCH"))
            case StopAcks():
                connection.acks = False
                return True
            case Raw():
                connection.send_raw(fault.data)
                return True
            case TokenExpired():
                self._tokens.revoke()
                return True
            case _:  # NoHello and others like it: the platform does not react
                pass
        return False

    def _close(self, connection: ClientConnection, code: int, reason: str) -> None:
        if code == 4004:
            self._tokens.revoke()
        self._end_session(connection, keep=self._tables.session_survives(code))
        connection.close(code, reason)

    def _end_session(self, connection: ClientConnection, *, keep: bool) -> None:
        if connection.session is not None and not keep:
            self.sessions.end(connection.session)

    def _set_limit(
        self,
        total: int | None,
        remaining: int | None,
        reset_after: int | None,
        max_concurrency: int | None,
        shards: int | None,
    ) -> None:
        seconds = None if reset_after is None else reset_after / 1000
        self._budget.limit(total, remaining, seconds, max_concurrency)
        if shards is not None:
            self._limit_shards(shards)

    # State for the page

    def shards(self) -> list[JsonObject]:
        """Return the state of all shards."""
        return [
            {
                "shard": session.shard,
                "session_id": session.id,
                "state": "ready" if session.connected else "down",
                "seq": session.seq,
            }
            for session in self.sessions.all()
        ]

    def intents(self) -> int:
        """Return all intents of the bot's sessions."""
        mask = 0
        for session in self.sessions.all():
            mask |= session.intents
        return mask

    def _publish(self) -> None:
        self._journal.publish("bot", self.document)

    def document(self) -> JsonObject:
        """Return the state of the bot for the page."""
        user = self._user()
        return {
            "app_id": self._tokens.app_id,
            "name": user["username"],
            "online": bool(self.ready_connections()),
            "intents": self.intents(),
            "shards": self.shards(),
            "connections": [connection.document() for connection in self.connections[-_CONNECTIONS_SHOWN:]],
            "budget": self._budget.document(),
        }


def _shard_of(document: JsonObject) -> Shard | None:
    pair = document.get("shard", [0, 1])
    if not wire.is_array(pair) or len(pair) != 2:
        return None
    index, count = pair
    if not wire.is_integer(index) or not wire.is_integer(count) or not 0 <= index < count:
        return None
    return index, count


def _shown(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode(errors="replace")


def _masked(frame: JsonObject) -> str:
    body = frame.get("d")
    if wire.is_object(body) and isinstance(token := body.get("token"), str):
        scheme = "QQBot " if token.startswith("QQBot ") else ""
        frame = {**frame, "d": {**body, "token": f"{scheme}***"}}
    return wire.dump(frame)
