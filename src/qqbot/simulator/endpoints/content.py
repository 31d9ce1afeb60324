"""Content rules for outgoing messages: combinations of fields, texts, links, markdown, keyboards.

Responsible for pure checks that raise `Refusal` with the code of the platform. Collaborators: `schema` checks types and
required fields before.

Source: server-inter/message/send-receive/send.
"""

import re

from ..state.world import Scene
from ..wire import JsonObject, is_array, is_object, object_of, objects_of, text_of
from ..wire.refusal import Refusal
from .schema import BAD_BODY, is_blank

TEXT_LIMIT = 5000
"""Characters of a text; the documentation gives no limit, clients truncate here."""

TEXT, MARKDOWN, ARK, EMBED, INPUT_NOTIFY, MEDIA, CARD = 0, 2, 3, 4, 6, 7, 8

_REQUIRED = {
    TEXT: "content",
    MARKDOWN: "markdown",
    ARK: "ark",
    INPUT_NOTIFY: "input_notify",
    MEDIA: "media",
    CARD: "card",
}
_EXCLUSIVE = {
    "markdown": MARKDOWN,
    "media": MEDIA,
    "ark": ARK,
    "input_notify": INPUT_NOTIFY,
    "card": CARD,
    "embed": EMBED,
}

# The bounds, and the start of a run of labels, keep the time of a search linear.
_IMAGE = re.compile(r"!\[[^\]]{0,500}\]\([^)]{0,2000}\)")
_LINK = re.compile(
    r"(?<![a-z0-9.-])[.-]*(?:https?://)?((?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+"
    r"(?:com|cn|net|org|io|py|me|cc|top|xyz|dev|app|info|co|tv|gov|edu|qq|site|vip|club|link))(?![\w-])",
    re.IGNORECASE,
)
_PLAIN_LINK = re.compile(r"https?://([^\s/:?#)\]]+)", re.IGNORECASE)


def without_blanks(body: JsonObject) -> JsonObject:
    """Return a message without the parts that only consist of zero values, but for the one that `msg_type` names."""
    kind = body.get("msg_type")
    return {name: value for name, value in body.items() if _EXCLUSIVE.get(name) == kind or not _is_unused(name, value)}


def _is_unused(name: str, value: object) -> bool:
    if name == "keyboard" and is_object(value):
        return not value.get("id") and not value.get("content")  # rows without a button are a mistake
    return (name in _EXCLUSIVE or name == "message_reference") and is_blank(value)


def check_v2(scene: Scene, body: JsonObject, domains: set[str]) -> None:
    """Check a group or C2C message.  Raises: Refusal."""
    kind = body.get("msg_type")
    if kind not in (*_REQUIRED, EMBED):
        raise Refusal(340069, f"msg_type {kind} is invalid")
    if kind == EMBED or (kind == INPUT_NOTIFY and scene == "group"):
        raise Refusal(22006, f"msg_type {kind} is not supported here")
    _check_fields(kind, body)
    if kind == INPUT_NOTIFY and object_of(body, "input_notify").get("input_type") not in (1, 2):
        raise Refusal(50059, "input_notify: input_type is wrong")
    _check_parts(body, domains, too_long=40054007, link=40054010, keyboard=40034029)


def _check_fields(kind: object, body: JsonObject) -> None:
    for name, owner in _EXCLUSIVE.items():
        if name in body and kind != owner:
            raise Refusal(22006, f"msg_type {kind} does not fit {name}")
    for owner, name in _REQUIRED.items():
        if kind == owner and (not body.get(name) if kind == TEXT else name not in body):
            raise Refusal(50006 if kind == TEXT else 22006, f"msg_type {kind} needs {name}")
    if kind == MARKDOWN and text_of(body, "content"):
        raise Refusal(50037, "a message with markdown may only add a keyboard")
    if "keyboard" in body and kind != MARKDOWN:
        raise Refusal(22006, f"msg_type {kind} does not fit keyboard")


def check_guild(body: JsonObject, domains: set[str], *, styled: bool) -> None:
    """Check a channel message or a guild private message; `styled`: True if the bot may send Markdown.

    Raises: Refusal.
    """
    if "markdown" in body and not styled:
        raise Refusal(304036, "the bot has no right to markdown in guilds")
    contents = [body.get(name) for name in ("content", "embed", "ark", "image", "file_image", "markdown")]
    if not any(contents):
        raise Refusal(50006, "the message is empty")
    if "markdown" in body and any(contents[:-1]):
        raise Refusal(50037, "a message with markdown may only add a keyboard")
    if "keyboard" in body and "markdown" not in body:
        raise Refusal(304040, "a keyboard needs markdown")
    _check_parts(body, domains, too_long=1100499, link=304003, keyboard=304040)


def check_edit(body: JsonObject, domains: set[str]) -> None:
    """Check an edit of a channel message.  Raises: Refusal."""
    if "keyboard" not in body:
        raise Refusal(50050, "a change needs a keyboard")
    _check_parts(body, domains, too_long=1100499, link=304003, keyboard=304040)


def _check_parts(body: JsonObject, domains: set[str], *, too_long: int, link: int, keyboard: int) -> None:
    content, markdown = text_of(body, "content"), object_of(body, "markdown")
    if "markdown" in body:
        _check_markdown(markdown)
    for text in (content, text_of(markdown, "content")):
        if len(text) > TEXT_LIMIT:
            raise Refusal(too_long, f"the text is longer than {TEXT_LIMIT} characters")
        if host := _foreign_host(text, domains):
            raise Refusal(link, f"the URL of {host} is not registered for this bot")
    if "keyboard" in body:
        _check_keyboard(object_of(body, "keyboard"), keyboard)


def check_links(text: str, domains: set[str]) -> None:
    """Check the links in the text of a streamed message.  Raises: Refusal."""
    if host := _foreign_host(text, domains):
        raise Refusal(40054010, f"the URL of {host} is not registered for this bot")


def _foreign_host(text: str, domains: set[str]) -> str | None:
    visible = _IMAGE.sub("", text)
    hosts = [*_PLAIN_LINK.findall(visible), *_LINK.findall(visible)]
    return next((host for host in hosts if not _registered(host.lower(), domains)), None)


def _registered(host: str, domains: set[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _check_markdown(markdown: JsonObject) -> None:
    native = text_of(markdown, "content")
    template = bool(markdown.get("custom_template_id") or markdown.get("template_id"))
    if native and template:
        raise Refusal(50057, "either native markdown or a template")
    if not native and not template:
        raise Refusal(50041, "the markdown is empty")
    if native and not native.strip():
        raise Refusal(40034011, "the markdown is invalid: it is empty")
    for param in objects_of(markdown, "params"):
        if not text_of(param, "key"):
            raise Refusal(BAD_BODY, "request body wrong: a markdown parameter has no key")
        values = param.get("values")
        for value in values if is_array(values) else []:
            _check_param(str(value))


def _check_param(value: str) -> None:
    if not value:
        raise Refusal(40034008, "a markdown parameter is empty")
    if "\n" in value or "\r" in value:
        raise Refusal(40034009, "a markdown parameter has a line break")
    if re.search(r"[*_`#\[\]>]", value):
        raise Refusal(40034010, "a markdown parameter contains markdown")


def _check_keyboard(keyboard: JsonObject, code: int) -> None:
    if bool(keyboard.get("id")) != is_blank(keyboard.get("content")):
        raise Refusal(code, "a keyboard is either a template or rows of buttons")
    rows = objects_of(object_of(keyboard, "content"), "rows")
    buttons = [objects_of(row, "buttons") for row in rows]
    if len(rows) > 5 or any(len(row) > 5 for row in buttons):
        raise Refusal(code, "a keyboard has at most 5 rows of 5 buttons")
    if not keyboard.get("id") and not any(buttons):
        raise Refusal(code, "the keyboard has no buttons")
    ids = [button_id for row in buttons for button in row if (button_id := text_of(button, "id"))]
    if len(set(ids)) < len(ids):
        raise Refusal(code, "two buttons have one id")
