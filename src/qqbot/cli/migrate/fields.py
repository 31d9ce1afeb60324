"""Fields by their name on the wire: how a value that botpy gives as a dict is read here.

Responsible for the step from a model and a wire name to the attribute and its type; msgspec knows both. Collaborators:
`rewriting` follows a variable from the call that returned it. It parses nothing.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from ... import models
from ...api.client import ON_DEMAND
from ...models import events
from .tables import RENAMED

ALWAYS = {
    "groups": ("groups", "Groups"),
    "c2c": ("c2c", "C2C"),
    "channels": ("channels", "Channels"),
    "direct_messages": ("direct_messages", "DirectMessages"),
    "gateway": ("gateway", "GatewayInfo"),
    "users": ("users", "Users"),
    "interactions": ("interactions", "Interactions"),
}
"""The resources that `Api` makes at once: attribute, module and class."""


@dataclass(frozen=True)
class Shape:
    """What an expression evaluates to: a model, or a list of them.

    `optional`: it may be None. `inside`: the key that botpy's answer has around it.
    """

    kind: type
    listed: bool = False
    optional: bool = False
    inside: str = ""

    @property
    def element(self) -> "Shape | None":
        """The shape of one element of a list."""
        return Shape(self.kind) if self.listed else None


@dataclass(frozen=True)
class FoundField:
    """An attribute; `shape` None: a plain value."""

    name: str
    shape: Shape | None


def event(name: str) -> Shape:
    """Return the shape of an event."""
    return Shape(getattr(events, name))


def model(name: str) -> Shape:
    """Return the shape of a model."""
    return Shape(getattr(models, name))


@cache
def answer(target: str) -> Shape | None:
    """Return the shape of what a call such as "guilds.get" returns; None for a plain value."""
    resource, method = target.split(".")
    hint = get_type_hints(getattr(_resource(resource), method)).get("return")
    return _shape(hint)


@cache
def parameters(target: str) -> tuple[str, ...]:
    """Return the parameters of such a call that may be given by position."""
    resource, method = target.split(".")
    code = getattr(_resource(resource), method).__code__
    return tuple(code.co_varnames[1 : code.co_argcount])


def _resource(name: str) -> type:
    module, kind = ON_DEMAND.get(name) or ALWAYS[name]
    return cast("type", getattr(import_module(f"...api.resources.{module}", __package__), kind))


@cache
def find(shape: Shape, wire: str) -> FoundField | None:
    """Return the attribute for a wire name; None if the model has no such field."""
    kind = shape.kind
    wire = RENAMED.get((_family(kind), wire), wire)
    declared = getattr(kind, wire, None)
    if isinstance(declared, property):
        return FoundField(wire, _shape(get_type_hints(declared.fget).get("return")))
    for each in msgspec.structs.fields(kind):
        if each.encode_name == wire:
            return FoundField(each.name, _shape(each.type))
    return None


def _family(kind: type) -> str:
    names = {base.__name__ for base in kind.__mro__}
    return next((family for family, _ in RENAMED if family in names), "")


def _shape(hint: Any) -> Shape | None:
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        left = [each for each in get_args(hint) if each not in (type(None), msgspec.UnsetType)]
        inner = _shape(left[0]) if len(left) == 1 else None
        return inner and Shape(inner.kind, inner.listed, optional=type(None) in get_args(hint))
    if get_origin(hint) in (tuple, list):
        inner = _shape(get_args(hint)[0])
        return inner and Shape(inner.kind, listed=True)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return Shape(hint)
    return None
