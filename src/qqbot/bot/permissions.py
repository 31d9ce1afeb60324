"""Permissions: who may use a command or a handler.

Responsible for the predicates of `allow=`, which may be asynchronous, and for combining them. Collaborators: `access`
asks them before a handler runs. A predicate of the event alone, which decides whether a handler takes it at all, is a
filter: see `filters`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ..errors import ConfigError
from ..models.events import ADMINS, GUILD_ROLES, Replyable, roles_of, user_of
from ..models.targets import Scene
from .context import Context

Predicate: TypeAlias = Callable[[Context[Any]], bool | Awaitable[bool]]
"""Whether the user of an event may use something; plain or async."""


class Permission:
    """Who may use a command or a handler: `permission(function)`, or combined by `&`, `|` and `~`.

    `only_admins`: the platform's panel shows the command to administrators only.
    """

    def __init__(self, predicate: Predicate, *, only_admins: bool = False) -> None:
        self._predicate = predicate
        self.only_admins = only_admins

    async def allows(self, ctx: Context[Any]) -> bool:
        """Return whether the user of this event may.  Raises: what the predicate raises."""
        answer = self._predicate(ctx)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    def __and__(self, other: "Permission") -> "Permission":
        async def both(ctx: Context[Any]) -> bool:
            return await self.allows(ctx) and await other.allows(ctx)

        return Permission(both, only_admins=self.only_admins or other.only_admins)

    def __or__(self, other: "Permission") -> "Permission":
        async def either(ctx: Context[Any]) -> bool:
            return await self.allows(ctx) or await other.allows(ctx)

        return Permission(either, only_admins=self.only_admins and other.only_admins)

    def __invert__(self) -> "Permission":
        async def inverse(ctx: Context[Any]) -> bool:
            return not await self.allows(ctx)

        return Permission(inverse)


def permission(predicate: Predicate) -> Permission:
    """Return a permission that a function of the context decides, plain or async.

    Raises: ConfigError for what is no function.
    """
    return as_permission(predicate)


def as_permission(allow: "Permission | Predicate") -> Permission:
    """Return what `allow=` was given as a `Permission`.  Raises: ConfigError for what is no function."""
    if isinstance(allow, Permission):
        return allow
    if not callable(allow):
        raise ConfigError(
            f"allow= takes a Permission or a function of the context, not {allow!r}. "
            "allow= 需要 Permission 或接收 ctx 的函数"
        )
    return Permission(allow)


def members(*roles: str) -> Permission:
    """Return the permission of members with one of these roles: "owner", "admin", "member", or the id of a guild role.

    In guilds "admin" is the administrators, "channel_admin" those of the channel. In private chats no user has a role.

    Raises: ConfigError when no role is given.
    """
    if not roles:
        raise ConfigError('members() takes roles, such as members("admin", "owner"). members() 至少需要一个身份')
    wanted = {*roles, *(GUILD_ROLES.get(role, role) for role in roles)}

    def has_role(ctx: Context[Any]) -> bool:
        return not wanted.isdisjoint(roles_of(ctx.event))

    return Permission(has_role, only_admins=wanted <= ADMINS)


def users(*ids: str) -> Permission:
    """Return the permission of these users, by openid in groups and C2C, by user id in guilds.

    Raises: ConfigError when none is given.
    """
    if not ids:
        raise ConfigError("users() takes the ids of users. users() 至少需要一个用户 id")
    wanted = frozenset(ids)

    def is_one(ctx: Context[Any]) -> bool:
        return user_of(ctx.event) in wanted

    return Permission(is_one)


def scenes(*wanted: Scene) -> Permission:
    """Return the permission to use it in these scenes only: `scenes(Scene.GROUP)`.

    Raises: ConfigError when none is given.
    """
    if not wanted:
        raise ConfigError("scenes() takes scenes, such as scenes(Scene.GROUP). scenes() 至少需要一个场景")
    allowed = frozenset(Scene(scene) for scene in wanted)

    def is_there(ctx: Context[Any]) -> bool:
        event = ctx.event
        return isinstance(event, Replyable) and event.reply_target().scene in allowed

    return Permission(is_there)
