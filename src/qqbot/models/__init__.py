"""The nouns of the platform as immutable msgspec Structs: pure, comparable, picklable.

Responsible for shapes and their rules. A public class of any module here is also a name of this package, see
`everything`; asking for the first one imports all modules. They hold no reference to a bot, and read no clock.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .everything import *  # noqa: F403 - editors and type checkers know each name


def __getattr__(name: str) -> object:
    """Return a public class of any module."""
    if name == "__all__" or name[:1].isupper():  # else it is a module that is about to be imported
        return getattr(import_module(".everything", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
