"""Splitting: a long text as several messages.

Responsible for the borders: paragraphs first, then lines, sentences, words; a fence of code that is cut is closed and
opened again. Pure. Collaborators: `context` sends the parts.
"""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from ..errors import ConfigError
from ..models.outgoing.messages import Markdown, Message, Text

MOST_CHARACTERS = 4000
"""The longest text that the platform takes in one message; beyond, it answers 40054007.  Source: AstrBot PR 9592"""

_BORDERS = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"\n"),
    re.compile(r"[。！？!?；;…]+[”’」』）)]*|\.(?=\s)"),
    re.compile(r"[，,、\s]"),
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)(.*)$", re.MULTILINE)


def split_text(text: str, size: int = MOST_CHARACTERS) -> list[str]:
    """Return `text` in parts of at most `size` characters (at least 64), without the blanks at their ends.

    Raises: ConfigError for a smaller size.
    """
    if size < 64:
        raise ConfigError(f"split_text(size={size}) must be at least 64")
    return list(_parts(text.strip(), size))


def split_message(message: Message) -> list[Text | Markdown]:
    """Return a text or markdown as messages that the platform takes; options are kept, the keyboard on the last one.

    Raises: ConfigError for a message without a text of its own.
    """
    whole = Text(message) if isinstance(message, str) else message
    if not isinstance(whole, Text | Markdown) or not whole.content:
        raise ConfigError(
            f"split=True is for texts and markdown, not {type(message).__name__}. split=True 只用于文字消息"
        )
    parts = split_text(whole.content)
    made: list[Text | Markdown] = []
    for number, part in enumerate(parts, 1):
        if isinstance(whole, Markdown) and number < len(parts):
            made.append(replace(whole, content=part, keyboard=None))
        else:
            made.append(replace(whole, content=part))
    return made


def _parts(text: str, size: int) -> Iterator[str]:
    opening = ""  # the line that opens the fence which the last part has cut
    while text:
        if len(opening) + len(text) <= size:
            yield opening + text
            return
        room = size - len(opening)
        end = _border(text, room)
        if fence := _open_fence(opening + text[:end]):  # the part ends with its mark, in a line of its own
            end = _border(text, room - len(_fence_mark(fence)) - 1)
        part, text = opening + text[:end].rstrip(), text[end:]
        opening = _open_fence(part)
        text = text.lstrip("\n") if opening else text.lstrip()
        yield f"{part}\n{_fence_mark(opening)}" if opening else part


def _border(text: str, size: int) -> int:
    """Return where to cut: at the best border in the last three quarters of what fits, else at the limit."""
    for border in _BORDERS:
        ends = [found.end() for found in border.finditer(text, 0, size + 1) if size // 4 <= found.end() <= size]
        if ends:
            return ends[-1]
    return size


def _open_fence(part: str) -> str:
    """Return the line, with its end, that opens the fence which is open at the end of a part; '' if none is."""
    line = ""
    for found in _FENCE.finditer(part):
        if not line:
            line = f"{found[1][:8]}{found[2].strip()[:20]}\n"
        elif found[1].startswith(_fence_mark(line)) and not found[2].strip():
            line = ""
    return line


def _fence_mark(line: str) -> str:
    found = _FENCE.match(line)
    return found[1] if found else ""
