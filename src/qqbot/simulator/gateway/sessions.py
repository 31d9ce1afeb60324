"""Gateway sessions: numbering, replay buffers, and which session receives which event.

Responsible for sessions, which outlive their connections. Collaborators: a `Listener` (the attached connection),
which is woken if something is due. Does not send.
"""

import zlib
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from ..state.bounded import Bounded
from ..wire import JsonObject, identity, is_object, text_of

REPLAY_KEPT = 65536
"""Dispatches that a session keeps for a RESUME."""

REPLAY_CHARACTERS = 32 << 20
"""Characters of these dispatches."""

DUE_CHARACTERS = 128 << 20
"""Characters of the dispatches that are due on a connection which does not read; later ones are lost."""

LOST_KEPT = 20000
"""Ids of lost events, and of events that several sessions have, that are kept: the last ones."""

MAX_SESSIONS = 1000
"""Sessions that can be resumed; of those without a connection the oldest ends first."""

Shard = tuple[int, int]


class Listener(Protocol):
    """A connection that a session is attached to."""

    @property
    def open(self) -> bool:
        """True if neither side has closed it."""
        ...

    def wake(self) -> None:
        """Handle that something is due."""
        ...


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One numbered payload. `text` is the whole frame; `shared`: True if other sessions have the event, too."""

    seq: int
    type: str
    event_id: str
    text: str
    shared: bool = False


class Session:
    """The sequence of events of one shard."""

    def __init__(self, shard: Shard, intents: int, sent_events: dict[str, None]) -> None:
        self._sent_events = sent_events  # shared by all sessions: an event sent by one of them is not lost
        self.id = identity.trace_id()
        self.shard = shard
        self.intents = intents
        self.silent = False  # True: receives no events, though it can be resumed
        self.seq = 0  # of the last dispatch
        self.sent = 0  # the highest seq that a connection sent; a RESUME sets it back
        self.listener: Listener | None = None
        self._kept: deque[Dispatch] = deque()  # for replay
        self._pending: deque[Dispatch] = deque()  # due on the attached connection
        self._due = 0  # characters of `_pending`
        self._characters = 0  # of `_kept`
        # Events that left the full replay buffer without being sent.
        self._overwritten: deque[str] = deque(maxlen=LOST_KEPT)

    @property
    def connected(self) -> bool:
        """True if an open connection is attached."""
        return self.listener is not None and self.listener.open

    def wants(self, intent: int) -> bool:
        """True if the intents include events of these bits."""
        return not self.silent and (not intent or bool(self.intents & intent))

    def append(self, kind: str, event_id: str, body: str, *, shared: bool = False) -> None:
        """Number an event and keep it for replay."""
        dispatch = self._next(kind, event_id, body, shared=shared)
        self._kept.append(dispatch)
        self._characters += len(dispatch.text)
        while len(self._kept) > 1 and (len(self._kept) > REPLAY_KEPT or self._characters > REPLAY_CHARACTERS):
            self._forget(self._kept.popleft())
        if self.listener is not None and self._due <= DUE_CHARACTERS:  # without one, `replay_after` finds it
            self._queue(dispatch)

    def announce(self, kind: str, body: str) -> None:
        """Queue READY or RESUMED: numbered, but never replayed."""
        self._queue(self._next(kind, "", body))

    def _queue(self, dispatch: Dispatch) -> None:
        self._pending.append(dispatch)
        self._due += len(dispatch.text)
        if self.listener is not None:
            self.listener.wake()

    def _next(self, kind: str, event_id: str, body: str, *, shared: bool = False) -> Dispatch:
        self.seq += 1
        envelope = f'"id":"{event_id}",' if event_id else ""
        text = f'{{{envelope}"op":0,"s":{self.seq},"t":"{kind}","d":{body}}}'
        return Dispatch(self.seq, kind, event_id, text, shared)

    def _forget(self, dispatch: Dispatch) -> None:
        self._characters -= len(dispatch.text)
        if dispatch.seq > self.sent:
            self._overwritten.append(dispatch.event_id)

    def take(self) -> Dispatch | None:
        """Remove and return what the attached connection sends next."""
        if not self._pending:
            return None
        dispatch = self._pending.popleft()
        self._due -= len(dispatch.text)
        return dispatch

    def take_events(self, most: int) -> list[Dispatch]:
        """Remove and return the next events, at most `most`, up to a READY or RESUMED."""
        taken: list[Dispatch] = []
        while len(taken) < most and self._pending and self._pending[0].event_id:
            taken.append(self._pending.popleft())
            self._due -= len(taken[-1].text)
        return taken

    def mark_sent(self, dispatch: Dispatch) -> None:
        """Record that a connection sends this dispatch."""
        self.sent = max(self.sent, dispatch.seq)
        if dispatch.shared:
            self._sent_events[dispatch.event_id] = None

    def can_replay_after(self, seq: object) -> bool:
        """True if a RESUME with this seq can be served."""
        if not isinstance(seq, int) or not 0 <= seq <= self.seq:
            return False
        return not self._overwritten or seq >= self._kept[0].seq - 1

    def replay_after(self, seq: int) -> None:
        """Queue what came after `seq` again."""
        self.sent = seq
        self._pending = deque(dispatch for dispatch in self._kept if dispatch.seq > seq)
        self._due = sum(len(dispatch.text) for dispatch in self._pending)

    def detach(self) -> None:
        """Drop what is due: its connection has ended, and a RESUME queues it again."""
        self.listener = None
        self._pending.clear()
        self._due = 0

    def stop(self) -> None:
        """Drop what is due, and what was kept for a RESUME."""
        self._pending.clear()
        self._kept.clear()
        self._due = 0

    def never_sent(self) -> list[str]:
        """Return the ids of the events that no connection sent."""
        return [*self._overwritten] + [dispatch.event_id for dispatch in self._kept if dispatch.seq > self.sent]


class SessionTable:
    """All sessions of one bot."""

    def __init__(self) -> None:
        self._live: dict[str, Session] = {}
        self._lost: deque[str] = deque(maxlen=LOST_KEPT)  # events of ended sessions that were never sent
        self._sent_events: Bounded[str, None] = Bounded(LOST_KEPT)  # only events that several sessions have

    def all(self) -> tuple[Session, ...]:
        """Return the sessions that can be resumed or are connected."""
        return tuple(self._live.values())

    def create(self, shard: Shard, intents: int) -> Session:
        """Start a session. An unconnected session of the same shard ends."""
        for session in self.all():
            if session.shard == shard and not session.connected:
                self.end(session)
        unconnected = (session for session in self.all() if not session.connected)
        if len(self._live) >= MAX_SESSIONS and (oldest := next(unconnected, None)) is not None:
            self.end(oldest)
        session = Session(shard, intents, self._sent_events)
        self._live[session.id] = session
        return session

    def find(self, session_id: object) -> Session | None:
        """Return the session that can be resumed under this id."""
        return self._live.get(session_id) if isinstance(session_id, str) else None

    def end(self, session: Session) -> None:
        """Forget a session: it can no longer be resumed."""
        if self._live.pop(session.id, None) is not None:
            self._lost += session.never_sent()
            session.stop()

    def silence(self) -> None:
        """Stop all events to the existing sessions."""
        for session in self.all():
            session.silent = True

    def deliver(self, kind: str, event_id: str, body: str, *, intent: int, route: "EventRoute") -> int:
        """Append an event to every session that it belongs to; return how many these are."""
        receivers = [session for session in self._on(route) if session.wants(intent)]
        for session in receivers:
            session.append(kind, event_id, body, shared=len(receivers) > 1)
        return len(receivers)

    def covers(self, route: "EventRoute") -> bool:
        """True if the shard has a session, whatever its intents."""
        return bool(self._on(route))

    def why_undelivered(self, route: "EventRoute", intent: int) -> str:
        """Return `offline` without a session, `intent` if the intents lack these bits, else `silent`."""
        sessions = self._on(route)
        if not sessions:
            return "offline"
        return "silent" if any(not intent or session.intents & intent for session in sessions) else "intent"

    def _on(self, route: "EventRoute") -> list[Session]:
        return [session for session in self._live.values() if route.index(session.shard[1]) == session.shard[0]]

    def never_sent(self) -> list[str]:
        """Return the ids of the events that no connection sent, including those of ended sessions."""
        left = [*self._lost] + [event_id for session in self._live.values() for event_id in session.never_sent()]
        return [event_id for event_id in left if event_id not in self._sent_events]


class EventRoute:
    """The shard of an event: the requested one, or the one that its conversation belongs to."""

    def __init__(self, body: object, shard: int | None = None) -> None:
        self._shard = shard
        self._number = 0 if shard is not None else _routing_number(body)

    def index(self, count: int) -> int:
        """Return the index of the shard among `count` shards."""
        return self._number % count if self._shard is None else self._shard


def _routing_number(body: object) -> int:
    if not is_object(body):
        return 0
    guild = text_of(body, "guild_id")
    if guild.isascii() and guild.isdigit():
        return int(guild[:20]) >> 22
    return zlib.crc32(_conversation(body).encode())


def _conversation(body: JsonObject) -> str:
    author = body.get("author")
    for document in (body, author if is_object(author) else {}):
        for name in ("group_openid", "user_openid", "openid"):
            if value := text_of(document, name):
                return value
    return ""
