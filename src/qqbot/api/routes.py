"""The name that the routes had in 0.1: warns, and goes with 1.0.

Responsible for nothing but the old names. Collaborators: `route` has `Route`, `resources` the routes of the platform.
"""

import warnings
from typing import Any

from . import route


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .route_table import ROUTES  # noqa: PLC0415 - only an old name needs every resource

    found: Any = ROUTES if name == "ROUTES" else ROUTES.get(name.lower()) if name.isupper() else None
    home = "qqbot.api.route" if found is None else "qqbot.api.resources"
    if found is None and (found := vars(route).get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{__name__}.{name} is in {home} now; this module goes with 1.0", DeprecationWarning, stacklevel=2)
    return found
