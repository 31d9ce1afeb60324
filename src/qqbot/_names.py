"""Names of a package that are loaded when they are asked for, and names that it had before.

Responsible for `__getattr__` of the public packages. A name that was replaced warns until 1.0.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module


def on_demand(
    package: str, modules: Mapping[str, str], *, renamed: Mapping[str, str] | None = None
) -> Callable[[str], object]:
    """Return a `__getattr__` for `package`.

    `modules`: for a name the module that has it, relative to the package; it is not imported before. `renamed`: for
    an old name the new one of the same package.
    """
    replaced = renamed or {}

    def load(name: str) -> object:
        if (new := replaced.get(name)) is not None:
            warnings.warn(
                f"{package}.{name} is called {package}.{new} now; the old name goes with 1.0",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(sys.modules[package], new)
        if (module := modules.get(name)) is not None:
            return getattr(import_module(module, package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
