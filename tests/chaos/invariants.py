"""What must hold: the simulator's log against what the bot says that it did.

Pure: each function takes what was seen and returns what is wrong with it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from qqbot.testing import Fault

from .people import Dialog, Pushed
from .record import Handled, Record
from .server_log import ServerLog, SessionLog

EXPLAINS_LEAVING = {
    *("op7", "op9", "stop_acks", "half_open", "no_hello"),
    *("swallow_identify", "swallow_resume", "drop", "close"),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be. `key`: the message that it is about, '' for none; `connection`: likewise, 0."""

    what: str
    key: str = ""
    connection: int = 0

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


def owed(sessions: Iterable[SessionLog], live: Collection[SessionLog]) -> set[str]:
    """Return the messages that the bot has to have handled.

    Of a session that lives on, all; of one that ended, those that the bot said it had received: what came after was
    the platform's to lose.
    """
    ids = {session.id for session in live}
    return {
        key for session in sessions for seq, key in session.seqs.items() if session.id in ids or seq <= session.acked
    }


def kept_back(pushed: Iterable[str], owed_keys: Collection[str]) -> Iterator[Violation]:
    """If no session ends, all that was pushed was delivered."""
    for key in pushed:
        if key not in owed_keys:
            yield Violation("it was pushed and never delivered, though no session was to end", key)


def lost(owed_keys: Iterable[str], runs: Iterable[Handled]) -> Iterator[Violation]:
    """Every event that is owed was handled."""
    handled = {run.key for run in runs}
    for key in owed_keys:
        if key not in handled:
            yield Violation("it was delivered and never handled", key)


def repeated(runs: Iterable[Handled]) -> Iterator[Violation]:
    """Within one process nothing is handled twice."""
    for key, count in Counter(run.key for run in runs).items():
        if count > 1:
            yield Violation(f"it was handled {count} times in one process", key)


def out_of_order(runs: Iterable[Handled]) -> Iterator[Violation]:
    """Messages of one conversation are handled in their order, one after another."""
    last: dict[str, Handled] = {}
    for run in runs:
        ordering_key, _, number = run.key.partition("#")
        previous = last.get(ordering_key)
        last[ordering_key] = run
        if previous is None:
            continue
        if int(previous.key.partition("#")[2]) >= int(number):
            yield Violation(f"it was handled after {previous.key}", run.key)
        elif ordering_key[0] != "d" and (previous.end is None or previous.end > run.begin):
            yield Violation(f"it was begun before {previous.key} was done", run.key)


def unanswered(records: Sequence[Record], answers: Counter[str]) -> Iterator[Violation]:
    """Each answer that the bot sent is in the chat once, each that failed at most once, and no other is there.

    Only in a guild, where answers have no numbers, a message that was handled again may be answered again. A dialog
    that is begun again may say other things under a number that was used.
    """
    runs = Counter(run.key for record in records for run in record.runs)
    sent = {text for record in records for text in record.sent}
    sent |= {text for record in records for text in record.again if text.startswith("re ")}
    failed = {text: why for record in records for text, why in record.unsent.items() if text not in sent}
    for text in sent:
        if not 1 <= answers[text] <= _most(text, runs):
            yield Violation(f"the answer {text!r} is in the chat {answers[text]} times", _key(text))
    for text, why in failed.items():
        if answers[text] > _most(text, runs):
            yield Violation(f"the failed answer {text!r} ({why}) is in the chat {answers[text]} times", _key(text))
    for text in answers.keys() - sent - failed.keys():
        yield Violation(f"the answer {text!r} is in the chat, and the bot has no record of it", _key(text))


def _most(text: str, runs: Counter[str]) -> int:
    key = _key(text)
    return runs[key] if key.startswith("h") else 1


def speechless(pushed: dict[str, Pushed], records: Sequence[Record]) -> Iterator[Violation]:
    """A message that asks for an answer and was handled got one, or the bot knows why not."""
    texts = {text for record in records for text in (*record.sent, *record.unsent, *record.again)}
    for key in {run.key for record in records for run in record.runs if run.end is not None}:
        asks = key in pushed and pushed[key].word in ("echo", "wait", "hold", "click")
        if asks and f"re {key}" not in texts:
            yield Violation("it was handled, and no answer was tried", key)


def stuck(
    dialogs: Iterable[Dialog], owed_keys: Collection[str], records: Sequence[Record], answers: Collection[str]
) -> Iterator[Violation]:
    """A dialog whose messages were all delivered in time, and whose answers all went out, comes to its end."""
    failed = {_key(text) for record in records for text in record.unsent}
    runs = {run.key: run for record in records for run in record.runs}
    expired = {key for record in records for key in record.expired}
    for dialog in dialogs:
        first, last = dialog.keys[0], dialog.keys[-1]
        if (
            f"done {' '.join(dialog.keys)}" in answers
            or first in failed
            or any(key not in owed_keys for key in dialog.keys)
        ):
            continue
        late = first in expired and (first == last or _is_after(runs.get(last), runs.get(first)))
        if not late:
            yield Violation(f"the dialog {', '.join(dialog.keys)} did not come to its end", first)


def _is_after(run: Handled | None, other: Handled | None) -> bool:
    return run is not None and other is not None and other.end is not None and run.begin >= other.end


def beyond(sessions: Iterable[SessionLog]) -> Iterator[Violation]:
    """The bot never says that it has received what was not sent."""
    for session in sessions:
        if session.acked > session.high:
            yield Violation(f"session {session.id}: seq {session.acked} was acknowledged, {session.high} was sent")


def left(numbers: Iterable[int], strikes: Iterable[tuple[int, Fault]]) -> Iterator[Violation]:
    """The bot leaves no connection (`numbers`: those that it ended) without a reason."""
    explained = {connection for connection, fault in strikes if fault.kind() in EXPLAINS_LEAVING}
    for number in numbers:
        if number not in explained:
            yield Violation(f"the bot left connection {number} for no reason", connection=number)


def repeated_needlessly(processes: Iterable[tuple[Record, float, float]]) -> Iterator[Violation]:
    """What a later process handles again was unfinished when the earlier one died, or finished since its last save.

    `processes`: each record, the time of its end, and the seconds before it in which what is finished may be unsaved.
    """
    ends: dict[str, tuple[float, float, float]] = {}
    for record, died, kept in processes:
        for run in record.runs:
            if run.key in ends:
                end, then_died, then_kept = ends[run.key]
                if end < then_died - then_kept:
                    ago = f"{then_died - end:.1f} s before the process died"
                    yield Violation(f"it was handled again, though it was finished {ago}", run.key)
        ends |= {run.key: (run.end, died, kept) for run in record.runs if run.end is not None}


def _key(text: str) -> str:
    return text.split(" ")[1]


def story(violation: Violation, log: ServerLog, records: Sequence[Record]) -> str:
    """Return a violation with all that is known of it."""
    lines = [str(violation)]
    connections = [violation.connection] if violation.connection else []
    if violation.key:
        lines += log.story(violation.key)
        connections = sorted({each.connection for each in log.sendings.get(violation.key, ())})[-2:]
    for number, record in enumerate(records):
        for run in record.runs:
            if run.key == violation.key:
                lines.append(f"process {number}: begun {run.begin:.3f}, ended {run.end or 0:.3f}")
    for connection in connections:
        lines += [f"connection {connection}:", *log.lines(connection)]
    return "\n  ".join(lines)
