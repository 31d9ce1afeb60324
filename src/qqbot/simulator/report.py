"""The report of a simulator as text: the chat, the frames, the calls.

Responsible for the form only. Tokens and secrets were masked before they reached the journal.
"""

from collections.abc import Iterator

from .explanations import describe
from .platform import Platform
from .state.journal import CallRecord, FrameRecord
from .state.world import MessageRecord

_LINES = 60
_WIDTH = 400


def report(platform: Platform) -> dict[str, str]:
    """Return the parts that are not empty, by title; the last lines of each."""
    journal = platform.journal
    parts = {
        "chat": [line for message in platform.world.messages()[-_LINES:] for line in _said(message)],
        "frames": [_frame(record) for record in list(journal.frames)[-_LINES:]],
        "calls": [line for record in list(journal.calls)[-_LINES:] for line in _call(record)],
        "violations": platform.violations()[-_LINES:],
        "lost events": platform.gateway.sessions.never_sent()[-_LINES:],
    }
    return {title: "\n".join(_cut(line) for line in lines) for title, lines in parts.items() if lines}


def _said(message: MessageRecord) -> Iterator[str]:
    where = message.conversation
    text = message.markdown or message.text or ""
    if message.media is not None:
        text = f"[{message.media.get('kind')} {message.media.get('name') or ''}] {text}"
    first, *rest = f"{where.scene} {where.name}, {message.author or message.sender}: {text}".splitlines() or [""]
    yield first
    yield from (f"    {line}" for line in rest)
    yield from (f"    ! {describe(remark)}" for remark in message.remarks)


def _frame(record: FrameRecord) -> str:
    arrow = "bot <-" if record["direction"] == "to_bot" else "bot ->"
    return f"{arrow} {record['json']}"


def _call(record: CallRecord) -> Iterator[str]:
    query = f"?{record['query']}" if record["query"] else ""
    code = f", code {record['code']}" if record["code"] else ""
    yield f"{record['method']} {record['path']}{query}: {record['status']}{code}"
    for name in ("request", "answer"):
        if text := record[name]:
            yield f"    {name} {text}"


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[:_WIDTH]}..."
