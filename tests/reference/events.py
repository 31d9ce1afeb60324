"""The page of events: when each comes, what it contains, how it is answered; from the models.

Responsible for reading fields and types from the classes. Collaborators: `fields.toml` and `chinese.toml` have the
words that the classes do not.
"""

import inspect
import types
import typing
from collections.abc import Iterator
from enum import Enum, Flag

import msgspec
from msgspec import structs

from qqbot.models import events
from qqbot.models.base import UnsetType
from qqbot.models.events import EVENTS, Event, InChannel, InGroup, MessageEvent, Replyable
from qqbot.models.intents import PRIVATE_ONLY, Intents
from qqbot.models.targets import REPLY_LIMITS, REPLY_WINDOWS, Scene

from .words import Both, code, heading, pick, read, source, summary, table

NAME = "event-fields.md"
TITLE = Both("Events and their fields", "事件及其字段")

FIELDS = read("fields.toml")
CHINESE = read("chinese.toml")["classes"]

HOW = Both(
    """`ctx.event` is an object of one of these classes. A field that the platform leaves out has its empty value: `""`,
`0`, `False`, `()` or `None`. How handlers are registered for events, by class or by base class, is in
[Events](../events.md); how they are answered, in [Sending](../sending.md). This page is written by
`nox -s reference`.""",
    """`ctx.event` 是下面某个类的对象。平台没有发送的字段取空值：`""`、`0`、`False`、`()` 或 `None`。
怎样按类或按基类注册处理函数，见[事件](../events.md)；怎样回复，见[发送](../sending.md)。
本页由 `nox -s reference` 生成。""",
)


def page(language: str) -> str:
    """Return the page in one language."""
    kinds = list(EVENTS.values())
    values = nested(kinds)
    parts = [
        f"# {pick(language, TITLE)}",
        pick(language, HOW),
        heading(language, 2, Both("All events", "全部事件"), "all-events"),
        _overview(language, kinds),
        heading(language, 2, Both("Each event", "逐个说明"), "each-event"),
        *(part for kind in kinds for part in _event(language, kind)),
        heading(language, 2, Both("Values in events", "事件里的值"), "values-in-events"),
        *(part for kind in values if issubclass(kind, msgspec.Struct) for part in _value(language, kind)),
        heading(language, 2, Both("Enumerations", "枚举"), "enumerations"),
        pick(
            language,
            Both(
                "A number that is not listed becomes a member named `UNKNOWN_<n>`.",
                "表里没有的数字会成为名为 `UNKNOWN_<n>` 的成员。",
            ),
        ),
        _enumerations(language, [kind for kind in values if issubclass(kind, Enum)]),
    ]
    return "\n\n".join(parts) + "\n"


def _about(language: str, kind: type) -> str:
    return CHINESE[kind.__name__] if language == "zh" else summary(kind)


def _overview(language: str, kinds: list[type[Event]]) -> str:
    head = Both("event | what happened | bases | intents | answered", "事件 | 发生了什么 | 基类 | intents | 怎么回复")
    rows = [
        [
            f"[`{kind.__name__}`](#{kind.__name__.lower()})",
            _about(language, kind),
            _listed(language, [base.__name__ for base in bases(kind)]),
            _listed(language, [intent.name or "" for intent in needed(kind)]) or pick(language, Both("none", "不需要")),
            pick(language, _answered(kind)),
        ]
        for kind in kinds
    ]
    return table(pick(language, head).split(" | "), rows)


def bases(kind: type[Event]) -> list[type[Event]]:
    """Return the base classes of an event that a handler can name."""
    return [base for base in kind.__mro__[1:] if issubclass(base, Event) and base is not Event]


def needed(kind: type[Event]) -> list[Intents]:
    """Return the intents of an event."""
    return [intent for intent in Intents if intent in Intents.of(kind)]


def _listed(language: str, names: list[str]) -> str:
    return pick(language, Both(", ", "、")).join(map(code, names))


def _answered(kind: type[Event]) -> Both:
    if issubclass(kind, MessageEvent):
        return Both("to the message", "回复该消息")
    return Both("by event id", "凭事件 id") if issubclass(kind, Replyable) else Both("not possible", "不能回复")


def _event(language: str, kind: type[Event]) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield _about(language, kind)
    facts = [
        (Both("name on the wire", "平台的事件名"), ", ".join(map(code, names(kind)))),
        (Both("intents", "intents"), _bits(language, kind)),
        (Both("bases", "基类"), _listed(language, [base.__name__ for base in bases(kind)])),
        (Both("reply", "回复"), pick(language, reply(kind))),
        (Both("source", "出处"), code(source(kind)) if source(kind) else ""),
    ]
    colon = pick(language, Both(": ", "："))
    yield "\n".join(f"- {pick(language, name)}{colon}{fact}" for name, fact in facts if fact)
    yield _fields(language, kind)


def names(kind: type[Event]) -> list[str]:
    """Return the names under which the platform sends an event."""
    return [kind.wire_name, *(alias for alias, name in events.ALIASES.items() if name == kind.wire_name)]


def _bits(language: str, kind: type[Event]) -> str:
    intents = needed(kind)
    if not intents:
        return pick(language, Both("none", "不需要"))
    private = pick(language, Both("; private bots only", "；仅私域机器人"))
    listed = [f"`{intent.name}` (1 << {intent.bit_length() - 1})" for intent in intents]
    return pick(language, Both(", ", "、")).join(listed) + (private if Intents.of(kind) & PRIVATE_ONLY else "")


def reply(kind: type[Event]) -> Both:
    """Return how an event is answered, and for how long."""
    if not issubclass(kind, Replyable):
        return Both("not possible", "不能回复")
    places = scenes(kind)
    window = _window(places[0])
    if issubclass(kind, MessageEvent):
        limit = REPLY_LIMITS.get(places[0])
        times = Both(f", {limit} times at most", f"，最多 {limit} 次") if limit else Both("", "")
        return Both(f"to the message, for {window} minutes{times.en}", f"回复该消息，{window} 分钟内{times.zh}")
    if issubclass(kind, events.GuildMemberNotice):
        return Both(
            f"by the event id, for {window} minutes, in a channel of your choice: see [Events](../events.md)",
            f"凭事件 id，{window} 分钟内，子频道由你选择：见[事件](../events.md)",
        )
    also = Both("", "")
    if len(places) > 1:
        also = Both(f"; in C2C {_window(Scene.C2C)}", f"；单聊里 {_window(Scene.C2C)} 分钟")
    return Both(f"by the event id, for {window} minutes{also.en}", f"凭事件 id，{window} 分钟内{also.zh}")


def _window(scene: Scene) -> str:
    return f"{REPLY_WINDOWS[scene] / 60:g}"


def scenes(kind: type[Event]) -> list[Scene]:
    """Return the kinds of conversation that an event which can be answered belongs to."""
    if issubclass(kind, InGroup):
        return [Scene.GROUP]
    if issubclass(kind, InChannel | events.GuildMemberNotice):
        return [Scene.CHANNEL]
    if issubclass(kind, events.C2CMessageCreate | events.FriendNotice):
        return [Scene.C2C]
    if issubclass(kind, events.DirectMessageCreate):
        return [Scene.DMS]
    assert kind is events.InteractionCreate, f"{kind.__name__} belongs to a conversation that scenes() does not know"
    return [Scene.GROUP, Scene.C2C, Scene.CHANNEL]


def _value(language: str, kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield _about(language, kind)
    yield _fields(language, kind)


def _fields(language: str, kind: type) -> str:
    head = Both("field | type | meaning", "字段 | 类型 | 含义")
    rows = [[code(name), written(hint), pick(language, meaning(kind, name))] for name, hint in fields(kind)]
    if not rows:
        return pick(language, Both("It has no fields.", "没有字段。"))
    return table(pick(language, head).split(" | "), rows)


def fields(kind: type) -> Iterator[tuple[str, object]]:
    """Yield name and type of each field; of a text with several forms on the wire, those of the property."""
    for field in structs.fields(kind):
        name = field.encode_name
        found = inspect.getattr_static(kind, name, None)
        if field.name != name and isinstance(found, property):
            yield name, typing.get_type_hints(found.fget)["return"]
        else:
            yield field.name, field.type


def meaning(kind: type, name: str) -> Both:
    """Return what a field means: by the class that declares it, else by its name alone."""
    for owner in kind.__mro__:
        if name in FIELDS.get(owner.__name__, ()):
            return Both(*FIELDS[owner.__name__][name])
    if name not in FIELDS["fields"]:
        raise KeyError(f"{kind.__name__}.{name} has no meaning in fields.toml")
    return Both(*FIELDS["fields"][name])


def written(hint: object) -> str:
    """Return a type as code, with a link to its fields if it has any."""
    text = _plain(hint)
    inner = next(iter(_classes(hint)), None)
    if inner is None:
        return code(text)
    return f"[`{text}`](#{'enumerations' if issubclass(inner, Enum) else inner.__name__.lower()})"


def _plain(hint: object) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _plain(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return " | ".join(_plain(each) for each in arguments if each is not UnsetType)
    if origin is not None:
        return f"{origin.__name__}[{', '.join('...' if each is ... else _plain(each) for each in arguments)}]"
    return "None" if hint is type(None) else typing.cast("type", hint).__name__


def _classes(hint: object) -> Iterator[type]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct | Enum):
        yield hint
    for argument in typing.get_args(hint):
        yield from _classes(argument)


def nested(kinds: list[type[Event]]) -> list[type]:
    """Return the classes that occur in fields of events, in the order of the alphabet."""
    found: set[type] = set()

    def visit(kind: type) -> None:
        for _, hint in fields(kind):
            for inner in _classes(hint):
                if inner not in found:
                    found.add(inner)
                    if issubclass(inner, msgspec.Struct):
                        visit(inner)

    for kind in kinds:
        visit(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def _enumerations(language: str, kinds: list[type[Enum]]) -> str:
    head = Both("class | what it is | members", "类 | 说明 | 成员")
    rows = [
        [code(kind.__name__), _about(language, kind), ", ".join(f"{_number(each)} `{each.name}`" for each in kind)]
        for kind in kinds
    ]
    return table(pick(language, head).split(" | "), rows)


def _number(member: Enum) -> str:
    return f"1 << {member.value.bit_length() - 1}" if isinstance(member, Flag) else str(member.value)
