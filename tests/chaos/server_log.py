"""What the simulator delivered and received: each event on each connection, and each answer that it took.

Read piece by piece from the simulator's own log, which keeps only the last frames and calls.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from qqbot.testing import Simulator


@dataclass(frozen=True, slots=True)
class Sending:
    """One event sent once; `n` is its place in the log."""

    n: int
    connection: int
    seq: int


@dataclass(slots=True)
class SessionLog:
    """One session as the log shows it.

    `seqs`: the events by number. `high`: the highest number sent, `acked`: the highest that the bot said it had
    received. `ended`: whether op 9 declared it invalid. `unanswered`: RESUMEs in a row that led to nothing.
    """

    id: str
    seqs: dict[int, str] = field(default_factory=dict[int, str])
    high: int = 0
    acked: int = 0
    ended: bool = False
    unanswered: int = 0
    connections: list[int] = field(default_factory=list[int])

    def may_be_given_up(self, codes: dict[int, int]) -> bool:
        """Whether the bot has had a reason not to resume it; `codes`: what the platform closed connections with.

        What the bot never acknowledged anything of, it may not know.
        """
        closed = any(_ends_session(codes.get(number, 0)) for number in self.connections)
        return closed or self.ended or self.unanswered >= 2 or not self.acked


@dataclass(slots=True)
class Totals:
    """What is counted over the whole run."""

    events: int = 0
    replays: int = 0
    identifies: int = 0
    resumes: int = 0

    def document(self) -> dict[str, float]:
        """Return them for a summary."""
        return asdict(self)


class ServerLog:
    """The log of one simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sendings: dict[str, list[Sending]] = {}
        self.answers: Counter[str] = Counter()
        self.sessions: dict[str, SessionLog] = {}
        self.needless: list[str] = []
        self.totals = Totals()
        self._sim = sim
        self._read = 0
        self._of_connection: dict[int, SessionLog] = {}
        self._of_shard: dict[tuple[int, int], SessionLog] = {}
        self._given_up: list[SessionLog] = []  # as they were then

    def clear(self) -> None:
        """Forget events and answers; sessions that live on stay."""
        self.sendings.clear()
        self.answers.clear()
        self.needless.clear()
        for session in self.sessions.values():
            session.seqs.clear()

    def poll(self) -> None:
        """Read what is new.  Raises: RuntimeError where the simulator has forgotten something that was not read."""
        frames = [frame for frame in self._sim.frames if frame["n"] > self._read]
        calls = [call for call in self._sim.calls if call["n"] > self._read]
        new: list[Any] = sorted([*frames, *calls], key=lambda record: record["n"])
        if new and [record["n"] for record in new] != list(range(self._read + 1, new[-1]["n"] + 1)):
            raise RuntimeError("the log was not read often enough")
        for record in new:
            self._read = record["n"]
            if "direction" in record:
                self._frame(record)
            else:
                self._call(record)
        self._judge()

    def live(self) -> list[SessionLog]:
        """Return the sessions that a connection has now."""
        ids = [each["session_id"] for each in self._shown() if each["state"] == "ready"]
        return [self.sessions[each] for each in ids if each in self.sessions]

    def quiet(self) -> bool:
        """Whether all that was given to the sessions has been sent."""
        shown = self._shown()
        return bool(shown) and all(
            each["state"] == "ready" and self.sessions[each["session_id"]].high == each["seq"]
            for each in shown
            if each["session_id"] in self.sessions
        )

    def _shown(self) -> list[dict[str, Any]]:
        state: dict[str, Any] = self._sim.state()
        shown: list[dict[str, Any]] = state["sessions"]
        return shown

    # Frames

    def _frame(self, frame: Any) -> None:
        if frame["direction"] == "to_bot":
            self._to_bot(frame)
        elif frame["op"] in (1, 2, 6):
            self._from_bot(frame, json.loads(frame["json"])["d"])

    def _to_bot(self, frame: Any) -> None:
        if frame["op"] == 9:
            session = self._of_connection.get(frame["connection"])
            if session is not None and json.loads(frame["json"])["d"] is not True:
                session.ended = True
        if frame["op"] == 0:
            self._dispatched(frame, json.loads(frame["json"]))

    def _dispatched(self, frame: Any, payload: Any) -> None:
        connection, seq = frame["connection"], payload["s"]
        if frame["t"] == "READY":
            session = SessionLog(payload["d"]["session_id"])
            self.sessions[session.id] = session
            self._of_shard[frame["shard"]] = session
            self._attach(connection, session)
        session = self._of_connection[connection]
        session.high = max(session.high, seq)
        session.unanswered = 0
        if "id" in payload:
            self._event(frame["n"], connection, session, payload)

    def _event(self, n: int, connection: int, session: SessionLog, payload: Any) -> None:
        key = payload["d"]["id"]
        sendings = self.sendings.setdefault(key, [])
        if sendings:
            self.totals.replays += 1
        else:
            self.totals.events += 1
        sendings.append(Sending(n, connection, payload["s"]))
        session.seqs[payload["s"]] = key

    def _from_bot(self, frame: Any, body: Any) -> None:
        connection = frame["connection"]
        if frame["op"] == 1:
            session = self._of_connection.get(connection)
            if session is not None:
                session.acked = max(session.acked, body or 0)
        elif frame["op"] == 6:
            self.totals.resumes += 1
            session = self.sessions.get(body["session_id"])
            if session is not None:
                session.acked = max(session.acked, body["seq"])
                session.unanswered += 1
                self._attach(connection, session)
        else:
            self.totals.identifies += 1
            session = self._of_shard.get(tuple(body["shard"]))
            if session is not None:
                self._given_up.append(replace(session))

    def _attach(self, connection: int, session: SessionLog) -> None:
        self._of_connection[connection] = session
        session.connections.append(connection)

    def _judge(self) -> None:
        """Note where the bot gave up a session that it could have resumed."""
        codes = {each.number: each.code or 0 for each in self._sim.connections if each.closed_by == "platform"}
        for session in self._given_up:
            if not session.may_be_given_up(codes):
                self.needless.append(f"IDENTIFY, though session {session.id} could be resumed")
        self._given_up.clear()

    # Calls

    def _call(self, call: Any) -> None:
        if call["method"] == "POST" and call["path"].endswith("/messages") and call["status"] == 200:
            self.answers[json.loads(call["request"])["content"]] += 1

    # To look at

    def story(self, key: str) -> list[str]:
        """Return where an event was sent, for people."""
        return [
            f"frame {each.n}: sent as seq {each.seq} on connection {each.connection}"
            for each in self.sendings.get(key, ())
        ]

    def lines(self, connection: int) -> Iterator[str]:
        """Return the last frames of a connection that the simulator still has, and what struck it."""
        for strike in self._sim.faults.strikes:
            if strike.connection == connection:
                yield f"fault: {strike.fault} at {strike.moment} {strike.detail}".rstrip()
        for frame in [each for each in self._sim.frames if each["connection"] == connection][-20:]:
            yield f"frame {frame['n']} {frame['time']} {frame['direction']} {frame['json'][:160]}"


def _ends_session(code: int) -> bool:
    """Whether the platform's table makes a bot identify after this close code."""
    return code in {4000, 4003, 4004, 4005, 4006, 4007} or code >= 4900
