"""Guilds, and the private chats that start in them. See `messages` for their messages."""

from .base import Aware, Body, Id, Model
from .channels import Channel


class Guild(Model, frozen=True, kw_only=True):
    """A guild. `owner`: True if the bot owns it. Only events have `op_user_id`, the user who changed it.

    Source: server-inter/channel/manage/guild/model
    """

    id: Id
    name: str = ""
    icon: str = ""
    owner_id: str = ""
    owner: bool = False
    member_count: int = 0
    max_members: int = 0
    description: str = ""
    joined_at: Aware | None = None
    channels: tuple[Channel, ...] = ()
    union_world_id: str = ""
    union_org_id: str = ""
    op_user_id: str = ""


class DMS(Model, frozen=True, kw_only=True):
    """A private chat with a guild user; messages are sent to its `guild_id`. `create_time`: seconds of the Unix clock.

    Source: server-inter/message/dms/model
    """

    guild_id: Id
    channel_id: str = ""
    create_time: int = 0


class CreateDMSBody(Body, frozen=True, kw_only=True):
    """Opens a private chat with a user of a guild that the bot has joined."""

    recipient_id: str
    source_guild_id: str


class MessageSetting(Model, frozen=True, kw_only=True):
    """What a guild allows the bot: private chats, and active messages, their channels and number a day.

    Source: server-inter/channel/speak/setting/model
    """

    disable_create_dm: bool = False
    disable_push_msg: bool = False
    channel_ids: tuple[str, ...] = ()
    channel_push_max_num: int = 0
