"""Lazy names and former names of a public package.

Responsible for `__getattr__` of the public packages: it imports a module at the first use of a name, and warns for a
name that was replaced. Former names are removed in 1.0.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module


def on_demand(
    package: str, modules: Mapping[str, str], *, renamed: Mapping[str, str] | None = None
) -> Callable[[str], object]:
    """Return a `__getattr__` for `package`.

    `modules`: for each name its module, relative to the package, which is imported at the first use. `renamed`: for
    each former name its present name in the same package.
    """
    replaced = renamed or {}

    def load(name: str) -> object:
        if (new := replaced.get(name)) is not None:
            warnings.warn(
                f"{package}.{name} is called {package}.{new} now; the old name is removed in 1.0",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(sys.modules[package], new)
        if (module := modules.get(name)) is not None:
            return getattr(import_module(module, package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
