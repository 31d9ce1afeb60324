"""`ROUTES`: every endpoint of the platform, by the name of its route.

Responsible for gathering the `Route` constants of all modules in `resources`; a new module is found by itself.
Importing this module imports all of them, which a bot does not need.
"""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import cast

from . import resources
from .route import Route

ROUTES: Mapping[str, Route[object]] = {
    route.name: cast("Route[object]", route)
    for found in pkgutil.iter_modules(resources.__path__, f"{resources.__name__}.")
    for route in vars(import_module(found.name)).values()
    if isinstance(route, Route)
}
"""Every route by its name."""
