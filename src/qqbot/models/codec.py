"""The only module that makes msgspec encoders and decoders.

Responsible for turning bytes into Structs and back, also if the platform departs from its own documentation.
It defines no model.
"""

import functools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol, TypeVar, cast

import msgspec
from msgspec import inspect

from ..errors import DecodeError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_encoder = msgspec.json.Encoder()
_parse = msgspec.json.Decoder(strict=False).decode

Decode = Callable[[bytes | msgspec.Raw], T]

Surprise = Callable[[str], None]
"""Called with the path of a field that did not have its documented form."""

_shape: Callable[[Any], inspect.Type] = functools.cache(inspect.type_info)

_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_BEIJING = timezone(timedelta(hours=8))
_LAST_SECOND = 253_402_300_799  # the end of the year 9999; a larger number counts milliseconds


def encode(value: object) -> bytes:
    """Return `value` as compact JSON; UNSET fields are left out."""
    return _encoder.encode(value)


def scalar_from_text(text: str, kind: object) -> object:
    """Return the value of a scalar type that a text stands for.  Raises: ValueError if it stands for none."""
    try:
        return msgspec.convert(text, cast("Any", kind), strict=False)
    except msgspec.MsgspecError:
        raise ValueError from None


def strict(type_: type[T]) -> Decode[T]:
    """Return a function that decodes JSON into `type_` and raises msgspec's own errors (the fast path)."""
    return msgspec.json.Decoder(type_).decode


def fast(type_: type[T]) -> Decode[T]:
    """Return a function like that of `strict`, which also accepts numbers as text, and times as seconds."""
    return msgspec.json.Decoder(type_, strict=False).decode


def decoder(type_: type[T]) -> Decode[T]:
    """Return a function that decodes JSON into `type_`, leniently if it must.

    Raises: DecodeError (the function), naming the type and the field.
    """
    decode, second_try = fast(type_), lenient(type_)

    def checked(data: bytes | msgspec.Raw) -> T:
        try:
            return decode(data)
        except _MALFORMED:
            return second_try(data)

    return checked


def _ignore(_path: str) -> None:
    pass


class Lenient(Protocol[T_co]):
    """Decodes JSON that differs from its documented form; calls `on_surprise` for each field that differs."""

    def __call__(self, data: bytes | msgspec.Raw, on_surprise: Surprise = ...) -> T_co:
        """Return the value.  Raises: DecodeError."""
        ...


def lenient(type_: type[T]) -> Lenient[T]:
    """Return a slow function that decodes JSON as far as possible if fields have unexpected types.

    An optional field that is null or unusable gets its default; an unusable item of a list is omitted; numbers become
    text, and text numbers; a time without a time zone is Beijing time; a time may be in milliseconds. A list that is
    null or `{}` is empty, and so is one that is absent from an object with fields of its type only. An object stands
    for a list of one, and a list of one for an object.

    Raises: DecodeError (the function), naming the type and the field.
    """
    name = getattr(type_, "__name__", str(type_))

    def decode(data: bytes | msgspec.Raw, on_surprise: Surprise = _ignore) -> T:
        try:
            mended = _mend(_parse(data), _shape(type_), "", on_surprise)
            return msgspec.convert(mended, type_, strict=False)
        except _UnusableError as error:
            where = f"`{error.path}`" if error.path else "the whole"
            raise DecodeError(f"not a {name}: {where} is missing or has an unusable form") from None
        except _MALFORMED as error:
            raise DecodeError(f"not a {name}: {error}") from error

    return decode


class _UnusableError(Exception):
    """The value at `path` cannot be used."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def _mend(value: object, shape: inspect.Type, path: str, note: Surprise) -> object:
    """Return `value` in a form that fits `shape`.  Raises: _UnusableError."""
    mender = _MENDERS.get(type(shape))
    return value if mender is None else mender(value, shape, path, note)


def _mend_object(value: object, shape: inspect.StructType, path: str, note: Surprise) -> dict[str, object]:
    if isinstance(value, list) and len(items := cast("list[object]", value)) == 1:
        note(path)
        value = items[0]
    if not isinstance(value, dict):
        raise _UnusableError(path)
    mended = dict(cast("dict[str, object]", value))
    fits = not mended or _has_field(mended, shape)  # else it may be an object of another type
    for field in shape.fields:
        key = field.encode_name
        here = f"{path}.{key}" if path else key
        if key not in mended:
            if field.required and fits and isinstance(field.type, _LISTS):
                mended[key] = []
            elif field.required:
                raise _UnusableError(here)
            continue
        try:
            mended[key] = _mend(mended[key], field.type, here, note)
        except _UnusableError:
            if field.required:
                raise
            note(here)
            del mended[key]
    return mended


_LISTS = (inspect.ListType, inspect.VarTupleType)


def _has_field(value: dict[str, object], shape: inspect.StructType) -> bool:
    return any(field.encode_name in value for field in shape.fields)


def _mend_union(value: object, shape: inspect.UnionType, path: str, note: Surprise) -> object:
    if value is None and shape.includes_none:
        return None
    for option in shape.types:
        try:
            return _mend(value, option, path, note)
        except _UnusableError:
            continue
    raise _UnusableError(path)


def _mend_items(
    value: object, shape: inspect.ListType | inspect.VarTupleType, path: str, note: Surprise
) -> list[object]:
    if value is None:
        note(path)
        return []
    if isinstance(value, dict):
        value = _listed(cast("dict[str, object]", value), shape.item_type, path)
        note(path)
    if not isinstance(value, list):
        raise _UnusableError(path)
    mended: list[object] = []
    for item in cast("list[object]", value):
        try:
            mended.append(_mend(item, shape.item_type, f"{path}[]", note))
        except _UnusableError:
            note(f"{path}[]")
    return mended


def _listed(value: dict[str, object], item: inspect.Type, path: str) -> list[object]:
    """Return the list that an object stands for.  Raises: _UnusableError if it is not an object of the items' type."""
    if not value:
        return []
    if isinstance(item, inspect.StructType) and _has_field(value, item):
        return [value]
    raise _UnusableError(path)


def _mend_dict(value: object, _shape: inspect.DictType, path: str, _note: Surprise) -> object:
    if not isinstance(value, dict):
        raise _UnusableError(path)
    return cast("dict[object, object]", value)


def _mend_text(value: object, shape: inspect.StrType, path: str, note: Surprise) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        note(path)
        value = str(value)
    if not isinstance(value, str) or len(value) < (shape.min_length or 0):
        raise _UnusableError(path)
    return value


def _mend_number(value: object, shape: inspect.IntType | inspect.FloatType, path: str, _note: Surprise) -> int | float:
    kind = int if isinstance(shape, inspect.IntType) else float
    try:
        number = kind(value) if isinstance(value, int | float | str) else math.nan
        usable = math.isfinite(number)
    except (ValueError, OverflowError):
        raise _UnusableError(path) from None
    if not usable or (isinstance(value, float) and number != value):
        raise _UnusableError(path)
    return number


def _mend_flag(value: object, _shape: inspect.BoolType, path: str, note: Surprise) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower() if isinstance(value, str | int | float) else ""
    if word not in ("0", "1", "true", "false"):
        raise _UnusableError(path)
    note(path)
    return word in ("1", "true")


def _mend_moment(value: object, _shape: inspect.DateTimeType, path: str, note: Surprise) -> datetime:
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        raise _UnusableError(path) from None
    if moment.tzinfo is None:
        note(path)
        return moment.replace(tzinfo=_BEIJING)
    return moment


def _moment(value: object) -> datetime:
    if isinstance(value, str) and not value.strip("0123456789."):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if value <= _LAST_SECOND else value / 1000
        return datetime.fromtimestamp(seconds, UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    raise ValueError


def _mend_member(value: object, shape: inspect.EnumType, path: str, _note: Surprise) -> object:
    try:
        return shape.cls(value)
    except (ValueError, TypeError):
        if not isinstance(value, str) or not value.isdecimal():
            raise _UnusableError(path) from None
    try:
        return shape.cls(int(value))
    except ValueError:  # no such member, or more digits than Python reads
        raise _UnusableError(path) from None


def _mend_null(value: object, _shape: inspect.NoneType, path: str, _note: Surprise) -> None:
    if value is not None:
        raise _UnusableError(path)


_MENDERS: dict[type[inspect.Type], Callable[[object, Any, str, Surprise], object]] = {
    inspect.StructType: _mend_object,
    inspect.UnionType: _mend_union,
    inspect.ListType: _mend_items,
    inspect.VarTupleType: _mend_items,
    inspect.DictType: _mend_dict,
    inspect.StrType: _mend_text,
    inspect.IntType: _mend_number,
    inspect.FloatType: _mend_number,
    inspect.BoolType: _mend_flag,
    inspect.DateTimeType: _mend_moment,
    inspect.EnumType: _mend_member,
    inspect.NoneType: _mend_null,
}


def blank(type_: type[T]) -> T:
    """Return a value of a Struct without content: optional fields have their defaults, others are empty.

    Raises: DecodeError if there is no such value.
    """
    try:
        return cast("T", _blank(_shape(type_)))
    except (KeyError, ValueError, TypeError) as error:
        raise DecodeError(f"not a {type_.__name__}: the answer is empty ({error})") from None


def _blank(shape: inspect.Type) -> object:
    if isinstance(shape, inspect.StructType):
        return shape.cls(**{field.name: _blank(field.type) for field in shape.fields if field.required})
    return _BLANK[type(shape)]


_BLANK: dict[type[inspect.Type], object] = {
    inspect.StrType: "",
    inspect.IntType: 0,
    inspect.FloatType: 0.0,
    inspect.BoolType: False,
    inspect.ListType: (),
    inspect.VarTupleType: (),
}


def to_json(value: object) -> object:
    """Return `value` as plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value)


parse: Decode[object] = decoder(object)
