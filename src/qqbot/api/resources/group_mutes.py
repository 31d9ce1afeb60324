"""Muting in QQ groups; see `mute` for guilds."""

from collections.abc import Iterable
from datetime import datetime

from ...models.group_mutes import GroupMuteBody, GroupMuteSetting, SetMemberMuteState, mute_states
from ..route import Route, nothing
from .base import Resource

GET_GROUP_MUTE_SETTING = Route(
    "get_group_mute_setting", "GET", "/v2/groups/{group_openid}/restrict_chat_setting", GroupMuteSetting
)
SET_GROUP_MEMBER_MUTE = Route(
    "set_group_member_mute", "POST", "/v2/groups/{group_openid}/restrict_chat_setting", nothing
)


class GroupMutes(Resource):
    """Mutes in a group. The bot must be an administrator of it."""

    async def setting(self, group_openid: str, *, timeout: float | None = None) -> GroupMuteSetting:
        """Return the rules for all members, and the muted members.

        Raises: PermissionMissing if the bot is not an administrator, NotFound.
        Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.get
        """
        return await self._call(GET_GROUP_MUTE_SETTING, group_openid, timeout=timeout)

    async def set(
        self, group_openid: str, states: Iterable[SetMemberMuteState], *, timeout: float | None = None
    ) -> None:
        """Change the mutes of 1 to 20 members; the owner, administrators and bots cannot be muted.

        Raises: PermissionMissing if the bot is not an administrator, NotFound; ConfigError for no members, or more.
        Source: autogen/api/v2_groups_group_openid_restrict_chat_setting.post
        """
        body = GroupMuteBody(members=tuple(states))
        await self._call(SET_GROUP_MEMBER_MUTE, group_openid, body=body, timeout=timeout)

    async def mute(
        self, group_openid: str, member_openids: Iterable[str], *, until: datetime, timeout: float | None = None
    ) -> None:
        """Mute 1 to 20 members `until` a time with a time zone, at most 30 days ahead.

        Raises: as `set`; ConfigError for a time without a time zone.
        """
        await self.set(group_openid, mute_states(member_openids, until), timeout=timeout)

    async def unmute(self, group_openid: str, member_openids: Iterable[str], *, timeout: float | None = None) -> None:
        """Let 1 to 20 members write again.

        Raises: as `set`.
        """
        states = [SetMemberMuteState.ended(member_openid) for member_openid in member_openids]
        await self.set(group_openid, states, timeout=timeout)
