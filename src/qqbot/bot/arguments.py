"""The arguments of a command: from the signature of a function to the values for one message.

Responsible for what a signature accepts (`Signature`), for splitting a line into words, and for the usage text.
Collaborators: `commands` calls it for each message; msgspec converts scalars. It knows nothing of handlers or replies:
what does not fit is a `UsageError`.
"""

import inspect
import math
import re
import types
import typing
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec import inspect as kinds

from ..errors import ConfigError, UsageError
from ..models.codec import scalar_from_text
from ..models.events import MessageEvent
from ..models.messages import GroupMessage, Message
from ..models.text import UserMention

BOOLEANS = {
    **dict.fromkeys(("是", "对", "开", "开启", "on", "yes", "y", "true", "1"), True),
    **dict.fromkeys(("否", "不", "关", "关闭", "off", "no", "n", "false", "0"), False),
}
"""The words for a `bool`."""

# A quote groups words only at the start of a word, and only if it is closed at the end of one.
_WORD = re.compile(
    r"<(?:@!?|qqbot-at-user\s+id=\")(?P<mention>[^\s<>\"]+)(?:\"\s*/?)?>"
    r"|[\"“”](?P<quoted>[^\"“”]*)[\"“”](?=\s|$)"
    r"|[^\s<]+|<[^\s<]*"
)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_SHORT_TIME = re.compile(r"(?:(.*[T ]))?(\d{1,2}):(\d{2})")
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


class Mention(Struct, frozen=True):
    """A user that a message mentions, as the argument of a command; `str` mentions that user again.

    `user_id` is the openid of the member in groups, the user id in guilds.
    """

    user_id: str
    name: str = ""
    bot: bool = False

    def __str__(self) -> str:
        return str(UserMention(self.user_id))


def mentions_in(event: MessageEvent, me: str = "") -> list[Mention]:
    """Return the users that the message mentions, without the bot itself; `me`: its user id in guilds, if known."""
    if isinstance(event, GroupMessage):
        return [
            Mention(each.member_openid or each.user_openid or each.id, each.nickname or each.username, each.bot)
            for each in event.mentions
            if each.is_single and not each.is_you
        ]
    if isinstance(event, Message):
        return [
            Mention(user.id, user.username, user.bot)
            for user in event.mentions
            if user.id != me and not (user.bot and not me)
        ]
    return []


class Word(Struct, frozen=True):
    """One word of a line, from `start` on; `mention`: the id that a tag names; `open`: a quote is not closed."""

    text: str
    start: int
    mention: str = ""
    open: bool = False


def split_words(text: str) -> Iterator[Word]:
    """Yield the words of a line. Double quotes at the start of a word group words; an apostrophe is a letter."""
    for found in _WORD.finditer(text):
        quoted = cast("str | None", found["quoted"])
        if quoted is not None:
            yield Word(quoted, found.start())
        else:
            yield Word(found[0], found.start(), found["mention"] or "", open=found[0][0] in '"“”')


def is_chinese(text: str) -> bool:
    """True if the text has Chinese characters."""
    return _CHINESE.search(text) is not None


class Parameter(Struct, frozen=True):
    """One parameter of a command. `rest`: it takes the rest of the line as it is; `many`: all further words."""

    name: str
    label: str
    type: object
    required: bool
    default: object
    many: bool = False
    rest: bool = False

    @property
    def usage(self) -> str:
        """How usage lines show it."""
        label = f"{self.label}..." if self.many else self.label
        return label if self.required else f"[{label}]"

    @property
    def is_mention(self) -> bool:
        """True if a mention fills it."""
        return self.type is Mention

    @property
    def is_number(self) -> bool:
        """True if a number fills it: then it may follow the name of the command without a blank."""
        return isinstance(_scalar(self.type), kinds.IntType | kinds.FloatType | kinds.DecimalType)

    def convert(self, word: str) -> object:
        """Return the value of a word.  Raises: ValueError for a word that does not fit."""
        scalar = _scalar(self.type)
        if isinstance(scalar, kinds.StrType):
            return scalar_from_text(word, self.type)
        plain = unicodedata.normalize("NFKC", word).strip()
        match scalar:
            case kinds.BoolType():
                if (answer := BOOLEANS.get(plain.casefold())) is None:
                    raise ValueError
                return answer
            case kinds.EnumType():
                return _member(scalar.cls, word, plain)
            case kinds.LiteralType():
                return scalar_from_text(word if word in scalar.values else plain, self.type)
            case kinds.DateType() | kinds.DateTimeType():
                plain = _DATE.sub(lambda found: f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}", plain)
            case _:
                pass
        if isinstance(scalar, kinds.TimeType | kinds.DateTimeType) and (short := _SHORT_TIME.fullmatch(plain)):
            plain = f"{short[1] or ''}{int(short[2]):02}:{short[3]}:00"
        value = scalar_from_text(plain.removeprefix("+"), self.type)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError
        return value

    def wanted(self, *, chinese: bool) -> str:
        """Return what fills it, in words."""
        return _described(_scalar(self.type), chinese=chinese)


def _member(kind: type[Enum], word: str, plain: str) -> Enum:
    """Return the member of an enumeration that has this value or, in any case of letters, this name."""
    for member in kind:
        if word == str(member.value) or plain == str(member.value):
            return member
    for name, member in kind.__members__.items():
        if name.casefold() == plain.casefold():
            return member
    raise ValueError


def _scalar(kind: object) -> kinds.Type | None:
    """Return how msgspec sees a type; None for what no text fills."""
    if kind is Mention:
        return kinds.CustomType(Mention)
    try:
        found = kinds.type_info(cast("Any", kind))
    except TypeError:
        return None
    while isinstance(found, kinds.Metadata):
        found = found.type
    return found


_FILLED_BY_TEXT = (
    kinds.StrType,
    kinds.IntType,
    kinds.FloatType,
    kinds.BoolType,
    kinds.LiteralType,
    kinds.EnumType,
    kinds.DateType,
    kinds.DateTimeType,
    kinds.TimeType,
    kinds.TimeDeltaType,
    kinds.UUIDType,
    kinds.DecimalType,
)

_WORDS: dict[type, tuple[str, str]] = {
    kinds.StrType: ("文字", "text"),
    kinds.IntType: ("整数", "a whole number"),
    kinds.FloatType: ("数字", "a number"),
    kinds.DecimalType: ("数字", "a number"),
    kinds.BoolType: ("“是”或“否”", "yes or no"),
    kinds.DateType: ("日期，如 2026-01-31", "a date such as 2026-01-31"),
    kinds.DateTimeType: ("时间，如 2026-01-31T08:00", "a time such as 2026-01-31T08:00"),
    kinds.TimeType: ("时刻，如 08:00", "a time such as 08:00"),
    kinds.TimeDeltaType: ("秒数", "seconds"),
    kinds.UUIDType: ("UUID", "a UUID"),
    kinds.CustomType: ("@ 一个人", "a mention of a user"),
}


def _described(kind: kinds.Type | None, *, chinese: bool) -> str:
    if isinstance(kind, kinds.LiteralType | kinds.EnumType):
        values = kind.values if isinstance(kind, kinds.LiteralType) else [each.value for each in kind.cls]
        listed = [str(value) for value in values]
        return ("、" if chinese else ", ").join(listed) + (" 之一" if chinese else "")
    words = _WORDS[type(kind)][0 if chinese else 1]
    low, high = _bounds(kind)
    if low is None and high is None:
        return words
    span = _range(low, high, chinese=chinese)
    if isinstance(kind, kinds.StrType):
        return f"{span} 个字的{words}" if chinese else f"{words} with {span} characters"
    return f"{span} 的{words}" if chinese else f"{words} {span}"


def _bounds(kind: kinds.Type | None) -> tuple[object, object]:
    match kind:
        case kinds.StrType():
            return kind.min_length, kind.max_length
        case kinds.IntType():
            low = kind.gt + 1 if kind.ge is None and kind.gt is not None else kind.ge
            high = kind.lt - 1 if kind.le is None and kind.lt is not None else kind.le
            return low, high
        case kinds.FloatType():
            return kind.gt if kind.ge is None else kind.ge, kind.lt if kind.le is None else kind.le
        case _:
            return None, None


def _range(low: object, high: object, *, chinese: bool) -> str:
    if low is None:
        return f"不超过 {high}" if chinese else f"up to {high}"
    if high is None:
        return f"不小于 {low}" if chinese else f"from {low} on"
    return f"{low} 到 {high}" if chinese else f"from {low} to {high}"


class Signature(Struct, frozen=True):
    """What a command takes after its name, in the order of its words."""

    parameters: tuple[Parameter, ...]

    @property
    def starts_with_number(self) -> bool:
        """True if a number may follow the name of the command without a blank."""
        return bool(self.parameters) and self.parameters[0].is_number

    @property
    def usage(self) -> str:
        """The parameters as a usage line shows them."""
        return " ".join(parameter.usage for parameter in self.parameters)

    def bind(self, line: str, event: MessageEvent, me: str) -> list[object]:
        """Return the arguments for a line, the text after the name of the command.

        Raises: UsageError for a line that does not fit.
        """
        return _Binding(line, event, me).arguments(self.parameters)


class _Binding:
    """The words of one line, and how far they are taken."""

    def __init__(self, line: str, event: MessageEvent, me: str) -> None:
        self._line = line
        self._words = list(split_words(line))
        self._at = 0
        people = mentions_in(event, me)
        self._people = {person.user_id: person for person in people}
        tagged = {word.mention for word in self._words}
        # The platform may cut the tag of a mention, and people put mentions before the command.
        self._cut = [person for person in people if person.user_id not in tagged]

    def arguments(self, parameters: Sequence[Parameter]) -> list[object]:
        values: list[object] = []
        for parameter in parameters:
            if parameter.many:
                while self._at < len(self._words):
                    values.append(self._next(parameter))
                if parameter.is_mention:
                    values += self._cut
            else:
                values.append(self._one(parameter))
        if self._at < len(self._words):
            raise UsageError("there are too many arguments", "参数太多")
        return values

    def _one(self, parameter: Parameter) -> object:
        word = self._words[self._at] if self._at < len(self._words) else None
        if parameter.is_mention and (word is None or not word.mention):
            return self._cut.pop(0) if self._cut else _absent(parameter)
        if word is None:
            return _absent(parameter)
        if parameter.rest:
            self._at = len(self._words)
            return _value(parameter, self._line[word.start :].strip())
        return self._next(parameter)

    def _next(self, parameter: Parameter) -> object:
        word = self._words[self._at]
        self._at += 1
        if parameter.is_mention and word.mention:
            return self._people.get(word.mention) or Mention(word.mention)
        if word.open:
            raise UsageError("a quotation mark is not closed", "引号没有成对", parameter.name)
        return _value(parameter, word.text)


def _absent(parameter: Parameter) -> object:
    if parameter.required:
        raise UsageError(f"{parameter.label} is missing", f"缺少 {parameter.label}", parameter.name)
    return parameter.default


def _value(parameter: Parameter, text: str) -> object:
    try:
        return parameter.convert(text)
    except ValueError:
        raise UsageError(
            f"{parameter.label} must be {parameter.wanted(chinese=False)}",
            f"{parameter.label} 应为 {parameter.wanted(chinese=True)}",
            parameter.name,
        ) from None


# From a function


def signature_of(function: Callable[..., object], command: str) -> Signature:
    """Return what a command takes, from the parameters of its function after the context.

    Raises: ConfigError for a parameter that no message can fill.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the annotations of the command {command} cannot be read: {error}. 无法读取命令 {command} 的类型注解"
        ) from None
    parameters = list(inspect.signature(function).parameters.values())[1:]
    made = [_parameter(each, hints.get(each.name, str), command) for each in parameters]
    if made and not made[-1].many and isinstance(_scalar(made[-1].type), kinds.StrType):
        made[-1] = msgspec.structs.replace(made[-1], rest=True)
    return Signature(tuple(made))


def _parameter(parameter: inspect.Parameter, annotation: object, command: str) -> Parameter:
    kind, label, optional = _unwrapped(annotation)
    by_word = parameter.kind not in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    if not by_word or (kind is not Mention and not isinstance(_scalar(kind), _FILLED_BY_TEXT)):
        raise ConfigError(
            f"no message can fill the parameter {parameter.name!r} of the command {command}: use str, int, float, "
            "bool, Literal, Enum, a date or Mention, each with | None or a default if it may be absent, and *names for "
            f"all further words. 命令 {command} 的参数 {parameter.name!r} 无法由消息填写"
        )
    has_default = parameter.default is not inspect.Parameter.empty
    many = parameter.kind is inspect.Parameter.VAR_POSITIONAL
    return Parameter(
        parameter.name,
        label or parameter.name,
        kind,
        required=not (has_default or optional or many),
        default=parameter.default if has_default else None,
        many=many,
    )


def _unwrapped(annotation: object) -> tuple[object, str, bool]:
    """Return the type without "or None", the title in its Meta, and whether it may be None."""
    metas: tuple[object, ...] = ()
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *rest = typing.get_args(annotation)
        metas = tuple(rest)
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [each for each in typing.get_args(annotation) if each is not types.NoneType]
        optional = len(members) < len(typing.get_args(annotation))
        if len(members) == 1:
            inner, label, _ = _unwrapped(members[0])
            return _annotated(inner, metas), label or _title(metas), optional
    return _annotated(annotation, metas), _title(metas), optional


def _annotated(kind: object, metas: tuple[object, ...]) -> object:
    return typing.Annotated[(kind, *metas)] if metas and kind is not Mention else kind


def _title(metas: tuple[object, ...]) -> str:
    return next((each.title for each in metas if isinstance(each, msgspec.Meta) and each.title), "")
