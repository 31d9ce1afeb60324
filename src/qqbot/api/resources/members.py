"""Members of guilds."""

from collections.abc import AsyncIterator, Iterable

from msgspec import UNSET, UnsetType

from ...models.codec import decoder
from ...models.guild_members import DeleteMemberBody
from ...models.roles import RoleMembersPage
from ...models.users import Member
from ..route import Query, Route, nothing
from .base import Resource, check_range

LIST_GUILD_MEMBERS = Route("list_guild_members", "GET", "/guilds/{guild_id}/members", decoder(list[Member]))
LIST_GUILD_ROLE_MEMBERS = Route(
    "list_guild_role_members", "GET", "/guilds/{guild_id}/roles/{role_id}/members", RoleMembersPage
)
GET_GUILD_MEMBER = Route("get_guild_member", "GET", "/guilds/{guild_id}/members/{user_id}", Member)
DELETE_GUILD_MEMBER = Route("delete_guild_member", "DELETE", "/guilds/{guild_id}/members/{user_id}", nothing)


MOST_MEMBERS = 400
"""Members of one page."""


class Members(Resource):
    """Members of guilds. Only private bots can list or remove them."""

    async def get(self, guild_id: str, user_id: str, *, timeout: float | None = None) -> Member:
        """Return one member.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role/member/get_member
        """
        return await self._call(GET_GUILD_MEMBER, guild_id, user_id, timeout=timeout)

    async def of_guild(
        self, guild_id: str, *, after: str = "0", limit: int = MOST_MEMBERS, timeout: float | None = None
    ) -> list[Member]:
        """Return one page: at most `limit` (1 to 400) members, those after the user id `after`.

        Pages may be shorter than `limit` and may repeat members; the last page is empty. Private bots only.

        Raises: PermissionMissing, NotFound; ConfigError for a `limit` out of range.
        Source: server-inter/channel/role/member/get_members
        """
        check_range("limit", limit, 1, MOST_MEMBERS)
        query: Query = {"after": after, "limit": limit}
        return await self._call(LIST_GUILD_MEMBERS, guild_id, query=query, timeout=timeout)

    async def iter_of_guild(self, guild_id: str, *, timeout: float | None = None) -> AsyncIterator[Member]:
        """Yield all members, each once; `timeout` (seconds) is for each page.

        Raises: as `of_guild`.
        """
        seen: set[str] = set()
        after = "0"
        while page := _named(await self.of_guild(guild_id, after=after, timeout=timeout)):
            for user_id, member in page:
                if user_id not in seen:
                    seen.add(user_id)
                    yield member
            if after == page[-1][0]:
                return
            after = page[-1][0]

    async def of_role(
        self,
        guild_id: str,
        role_id: str,
        *,
        start_index: str = "0",
        limit: int = MOST_MEMBERS,
        timeout: float | None = None,
    ) -> RoleMembersPage:
        """Return one page of a role's members: at most `limit` (1 to 400), from `start_index`: `next` of the last page.

        Private bots only.

        Raises: PermissionMissing, NotFound; ConfigError for a `limit` out of range.
        Source: server-inter/channel/role/member/get_role_members
        """
        check_range("limit", limit, 1, MOST_MEMBERS)
        query: Query = {"start_index": start_index, "limit": limit}
        return await self._call(LIST_GUILD_ROLE_MEMBERS, guild_id, role_id, query=query, timeout=timeout)

    async def iter_of_role(self, guild_id: str, role_id: str, *, timeout: float | None = None) -> AsyncIterator[Member]:
        """Yield all members with a role, each once; `timeout` (seconds) is for each page.

        Raises: as `of_role`.
        """
        seen: set[str] = set()
        index, asked = "0", set[str]()
        while index and index not in asked:
            asked.add(index)
            page = await self.of_role(guild_id, role_id, start_index=index, timeout=timeout)
            for user_id, member in _named(page.data):
                if user_id not in seen:
                    seen.add(user_id)
                    yield member
            index = page.next if page.data else ""

    async def remove(
        self,
        guild_id: str,
        user_id: str,
        *,
        add_blacklist: bool | UnsetType = UNSET,
        delete_history_msg_days: int | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> None:
        """Remove a member who is not an administrator, with `add_blacklist` forever. Private bots only.

        `delete_history_msg_days`: delete the member's messages of the last 3, 7, 15 or 30 days too; -1 all, 0 none.

        Raises: PermissionMissing, NotFound; ConfigError for another number of days.
        Source: server-inter/channel/role/member/delete_member
        """
        body = DeleteMemberBody(add_blacklist=add_blacklist, delete_history_msg_days=delete_history_msg_days)
        await self._call(DELETE_GUILD_MEMBER, guild_id, user_id, body=body, timeout=timeout)


def _named(members: Iterable[Member]) -> list[tuple[str, Member]]:
    """Return the members that come with a user id, each with that id."""
    return [(member.user.id, member) for member in members if member.user is not None and member.user.id]
