"""Text from outside as a terminal or a log may show it: what would control them is escaped.

Responsible for the characters that count as control: escape sequences, line breaks that fake a line, marks that turn
the direction of text, surrogates. Collaborators: errors, log lines and commands show such text. It hides no secret.
"""

import re

_UNSEEN = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"  # the joiners of emoji, 200c and 200d, are not among them
)
_CONTROLS = re.compile(f"[{_UNSEEN}]")
_CONTROLS_AND_BREAKS = re.compile(f"[\\t\\n{_UNSEEN}]")
LINE = 200
"""Characters of a text from outside that one line of a log shows."""


def visible(text: str) -> str:
    """Return `text` with every control character as its escape; line breaks and tabs stay."""
    return text if text.isprintable() else _CONTROLS.sub(_escape, text)


def visible_line(text: str, limit: int = LINE) -> str:
    """Return the first `limit` characters of `text` as one line, with every control character as its escape."""
    cut = text if len(text) <= limit else f"{text[:limit]}..."
    return cut if cut.isprintable() else _CONTROLS_AND_BREAKS.sub(_escape, cut)


def visible_json(text: str) -> str:
    """Return a JSON text with every control character in its strings escaped as JSON does: it stays the same JSON."""
    return text if text.isprintable() else _CONTROLS.sub(_escape_in_json, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _escape_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
