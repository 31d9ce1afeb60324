"""Users and bots of the platform: authors, members of guilds, mentions.

See `members` and `group_members` for lists of the members of groups.
"""

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType

MOST_CALLBACK_DATA = 32  # characters


class Account(Model, frozen=True, kw_only=True):
    """The common fields of guild users and of users in groups and C2C."""

    id: str = ""
    username: str = ""
    bot: bool = False
    union_openid: str = ""
    union_user_account: str = ""


class User(Account, frozen=True, kw_only=True):
    """A guild user, or the bot itself in the answer of /users/@me.

    `union_openid` and `union_user_account` need a special right.

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
        """The user's openid, from the field in which the platform sent it."""
        return self.user_openid or self.member_openid or self.id


class Membership(Model, frozen=True, kw_only=True):
    """The fields of a user as a member of a guild. `roles` are ids."""

    nick: str = ""
    roles: tuple[str, ...] = ()
    joined_at: Aware | None = None


class Member(Membership, frozen=True, kw_only=True):
    """A guild user as a member of one guild; messages have only part of it.

    Source: server-inter/channel/role/member/model
    """

    user: User | None = None
    deaf: bool = False
    mute: bool = False
    pending: bool = False


class MemberWithGuildID(Membership, frozen=True, kw_only=True):
    """A member who joined or left a guild, or was changed by the user `op_user_id`.

    Raises: ValueError if it names no user.
    Source: server-inter/channel/role/guild_member
    """

    guild_id: Id
    user: User
    op_user_id: str = ""

    def __post_init__(self) -> None:
        if not self.user.id:
            raise ValueError("the member names no user")


class GroupMention(Model, frozen=True, kw_only=True):
    """A mention in a group message. `is_you`: the bot itself is mentioned; the `scope` "all" names no user.

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

    @property
    def is_single(self) -> bool:
        """True if it mentions one user, False if it mentions every member."""
        return self.scope != "all"


class FriendAuthor(Model, frozen=True, kw_only=True):
    """The user who became a friend.  Source: autogen/event/friend_add"""

    union_openid: str = ""


class ShareLinkBody(Body, frozen=True, kw_only=True):
    """Requests a link to the bot, with data of at most 32 characters.

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
