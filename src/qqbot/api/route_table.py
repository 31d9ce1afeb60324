"""The endpoints of the platform, one module for each group of them.

Responsible for their routes and for the methods that call them. Collaborators: `route`, and `models` for the bodies.
A new endpoint is a `Route` constant and a method in the module of its group; `ROUTES` finds it by itself.
"""

from collections.abc import Mapping
from typing import cast

from .resources import (
    announces,
    api_permissions,
    audio,
    c2c,
    channels,
    direct_messages,
    forums,
    gateway,
    group_blacklist,
    group_mutes,
    groups,
    guilds,
    interactions,
    join_requests,
    media_images,
    members,
    menus,
    mute,
    onboarding,
    panels,
    permissions,
    pins,
    reactions,
    roles,
    schedules,
    strategies,
    users,
    webhook_sessions,
)
from .route import Route

_MODULES = (
    announces,
    api_permissions,
    audio,
    c2c,
    channels,
    direct_messages,
    forums,
    gateway,
    group_blacklist,
    group_mutes,
    groups,
    guilds,
    interactions,
    join_requests,
    media_images,
    members,
    menus,
    mute,
    onboarding,
    panels,
    permissions,
    pins,
    reactions,
    roles,
    schedules,
    strategies,
    users,
    webhook_sessions,
)

ROUTES: Mapping[str, Route[object]] = {
    route.name: cast("Route[object]", route)
    for module in _MODULES
    for route in vars(module).values()
    if isinstance(route, Route)
}
"""Every route by its name."""
