"""The people and bots of the platform.

Owns what a message or an answer says about its author; lists of members belong elsewhere.
"""

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType

MOST_CALLBACK_DATA = 32  # characters


class Account(Model, frozen=True, kw_only=True):
    """What guild users and users of groups and C2C have in common."""

    id: str = ""
    username: str = ""
    bot: bool = False
    union_openid: str = ""
    union_user_account: str = ""


class User(Account, frozen=True, kw_only=True):
    """A guild user, or the bot itself in the answer of /users/@me.

    `union_openid` and `union_user_account` need a right of their own.

    Source: openapi/user/model
    """

    avatar: str = ""
    share_url: str = ""
    welcome_msg: str = ""
    public_flags: int = 0
    system: bool = False


class V2User(Account, frozen=True, kw_only=True):
    """The author of a message in a group (`member_openid`, `member_role`) or in C2C (`user_openid`).

    Source: autogen/event/group_message_create
    """

    user_openid: str = ""
    member_openid: str = ""
    member_role: str = ""

    @property
    def openid(self) -> str:
        """The user's openid, under whichever name the platform sent it."""
        return self.user_openid or self.member_openid or self.id


class Membership(Model, frozen=True, kw_only=True):
    """What a guild says of a user who belongs to it. `roles` are ids."""

    nick: str = ""
    roles: tuple[str, ...] = ()
    joined_at: Aware | None = None


class Member(Membership, frozen=True, kw_only=True):
    """A guild user as a member of one guild; in messages only part of it.

    Source: server-inter/channel/role/member/model
    """

    user: User | None = None
    deaf: bool = False
    mute: bool = False
    pending: bool = False


class MemberWithGuildID(Membership, frozen=True, kw_only=True):
    """Somebody who joined or left a guild, or was changed in it, by the user `op_user_id`.

    Raises: ValueError when it names no user.
    Source: server-inter/channel/role/guild_member
    """

    guild_id: Id
    user: User
    op_user_id: str = ""

    def __post_init__(self) -> None:
        if not self.user.id:
            raise ValueError("the member names no user")


class GroupMention(Model, frozen=True, kw_only=True):
    """Somebody mentioned in a group message. `is_you`: the bot itself; the `scope` "all" names nobody.

    Source: autogen/event/group_at_message_create
    """

    scope: str = ""
    id: str = ""
    member_openid: str = ""
    user_openid: str = ""
    username: str = ""
    nickname: str = ""
    bot: bool = False
    is_you: bool = False


class FriendAuthor(Model, frozen=True, kw_only=True):
    """Who became a friend.  Source: autogen/event/friend_add"""

    union_openid: str = ""


class ShareLinkBody(Body, frozen=True, kw_only=True):
    """Asks for a link to the bot, with data of at most 32 characters.

    Raises: ConfigError for more.
    Source: autogen/api/v2_generate_url_link.post
    """

    callback_data: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.callback_data is not UNSET and len(self.callback_data) > MOST_CALLBACK_DATA:
            raise ConfigError(
                f"callback_data has {len(self.callback_data)} characters, {MOST_CALLBACK_DATA} are allowed"
            )


class EnterAIO(Model, frozen=True, kw_only=True):
    """A user opened the chat with the bot. Experimental: seen in one source only.  Source: botgo dto/enter_aio"""

    user_openid: str = ""
    from_source: str = ""
