"""Muting guilds and members of guilds."""

from collections.abc import Iterable
from datetime import datetime

from ...models.base import Model
from ...models.codec import decoder
from ...models.mute import mute_body
from ..route import Route, nothing
from .base import Resource


class _UserIds(Model, frozen=True, kw_only=True):
    user_ids: tuple[str, ...] = ()


_user_ids = decoder(_UserIds)


def _muted(data: bytes) -> list[str]:
    return list(_user_ids(data).user_ids)


MUTE_GUILD = Route("mute_guild", "PATCH", "/guilds/{guild_id}/mute", nothing)
MUTE_GUILD_MEMBERS = Route("mute_guild_members", "PATCH", "/guilds/{guild_id}/mute", _muted)
MUTE_GUILD_MEMBER = Route("mute_guild_member", "PATCH", "/guilds/{guild_id}/members/{user_id}/mute", nothing)


class Mute(Resource):
    """Mutes in guilds, for `seconds` or `until` a time; 0 seconds ends a mute. The bot must be an administrator."""

    async def guild(
        self,
        guild_id: str,
        *,
        seconds: int | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
    ) -> None:
        """Mute all members except administrators.

        Raises: PermissionMissing, NotFound; ConfigError if not exactly one of `seconds` and `until` is given.
        Source: server-inter/channel/speak/patch_guild_mute
        """
        await self._call(MUTE_GUILD, guild_id, body=mute_body(seconds, until), timeout=timeout)

    async def members(
        self,
        guild_id: str,
        user_ids: Iterable[str],
        *,
        seconds: int | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
    ) -> list[str]:
        """Mute several members; return the ids of those for whom it succeeded.

        Raises: PermissionMissing, NotFound; ConfigError if not exactly one of `seconds` and `until` is given, or if
        there are no ids.
        Source: server-inter/channel/speak/patch_guild_mute_multi_member
        """
        body = mute_body(seconds, until, user_ids=tuple(user_ids))
        return await self._call(MUTE_GUILD_MEMBERS, guild_id, body=body, timeout=timeout)

    async def member(
        self,
        guild_id: str,
        user_id: str,
        *,
        seconds: int | None = None,
        until: datetime | None = None,
        timeout: float | None = None,
    ) -> None:
        """Mute one member.

        Raises: PermissionMissing, NotFound; ConfigError if not exactly one of `seconds` and `until` is given.
        Source: server-inter/channel/speak/patch_guild_member_mute
        """
        await self._call(MUTE_GUILD_MEMBER, guild_id, user_id, body=mute_body(seconds, until), timeout=timeout)
