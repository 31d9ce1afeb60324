"""What botpy's names are called here, as data: events, classes, enumerations, flags and calls.

Responsible for the tables of `qqbot migrate`. Collaborators: `rewriting` and `calls` look names up; docs/from-botpy.md
shows the same names to readers. It parses nothing.
"""

from dataclasses import dataclass, field

EVENTS = {
    "on_ready": "Ready",
    "on_resumed": "Resumed",
    "on_guild_create": "GuildCreate",
    "on_guild_update": "GuildUpdate",
    "on_guild_delete": "GuildDelete",
    "on_channel_create": "ChannelCreate",
    "on_channel_update": "ChannelUpdate",
    "on_channel_delete": "ChannelDelete",
    "on_guild_member_add": "GuildMemberAdd",
    "on_guild_member_update": "GuildMemberUpdate",
    "on_guild_member_remove": "GuildMemberRemove",
    "on_message_create": "MessageCreate",
    "on_message_delete": "MessageDelete",
    "on_at_message_create": "AtMessageCreate",
    "on_public_message_delete": "PublicMessageDelete",
    "on_direct_message_create": "DirectMessageCreate",
    "on_direct_message_delete": "DirectMessageDelete",
    "on_message_reaction_add": "MessageReactionAdd",
    "on_message_reaction_remove": "MessageReactionRemove",
    "on_interaction_create": "InteractionCreate",
    "on_message_audit_pass": "MessageAuditPass",
    "on_message_audit_reject": "MessageAuditReject",
    "on_audio_start": "AudioStart",
    "on_audio_finish": "AudioFinish",
    "on_on_mic": "AudioOnMic",
    "on_off_mic": "AudioOffMic",
    "on_group_at_message_create": "GroupMessageEvent",
    "on_c2c_message_create": "C2CMessageCreate",
    "on_group_add_robot": "GroupAddRobot",
    "on_group_del_robot": "GroupDelRobot",
    "on_group_msg_reject": "GroupMsgReject",
    "on_group_msg_receive": "GroupMsgReceive",
    "on_friend_add": "FriendAdd",
    "on_friend_del": "FriendDel",
    "on_c2c_msg_reject": "C2CMsgReject",
    "on_c2c_msg_receive": "C2CMsgReceive",
    "on_forum_thread_create": "ForumThreadCreate",
    "on_forum_thread_update": "ForumThreadUpdate",
    "on_forum_thread_delete": "ForumThreadDelete",
    "on_forum_post_create": "ForumPostCreate",
    "on_forum_post_delete": "ForumPostDelete",
    "on_forum_reply_create": "ForumReplyCreate",
    "on_forum_reply_delete": "ForumReplyDelete",
    "on_forum_publish_audit_result": "ForumPublishAuditResult",
    "on_open_forum_thread_create": "OpenForumThreadCreate",
    "on_open_forum_thread_update": "OpenForumThreadUpdate",
    "on_open_forum_thread_delete": "OpenForumThreadDelete",
    "on_open_forum_post_create": "OpenForumPostCreate",
    "on_open_forum_post_delete": "OpenForumPostDelete",
    "on_open_forum_reply_create": "OpenForumReplyCreate",
    "on_open_forum_reply_delete": "OpenForumReplyDelete",
    "on_audio_or_live_channel_member_enter": "AudioOrLiveChannelMemberEnter",
    "on_audio_or_live_channel_member_exit": "AudioOrLiveChannelMemberExit",
}
"""The event of each method that botpy calls. `GroupMessageEvent` is taken with `when=meant_for_me`."""

PAYLOADS = {
    "botpy.message.Message": ("AtMessageCreate",),
    "botpy.message.DirectMessage": ("DirectMessageCreate",),
    "botpy.message.GroupMessage": ("GroupMessageEvent",),
    "botpy.message.C2CMessage": ("C2CMessageCreate",),
    "botpy.message.BaseMessage": ("GroupMessageEvent", "C2CMessageCreate"),
    "botpy.message.MessageAudit": ("MessageAuditPass",),
    "botpy.interaction.Interaction": ("InteractionCreate",),
    "botpy.guild.Guild": ("GuildCreate",),
    "botpy.channel.Channel": ("ChannelCreate",),
    "botpy.user.Member": ("GuildMemberAdd",),
    "botpy.reaction.Reaction": ("MessageReactionAdd",),
    "botpy.audio.Audio": ("AudioStart",),
    "botpy.audio.PublicAudio": ("AudioOrLiveChannelMemberEnter",),
    "botpy.forum.Thread": ("ForumThreadCreate",),
    "botpy.forum.OpenThread": ("OpenForumThreadCreate",),
    "botpy.manage.GroupManageEvent": ("GroupAddRobot",),
    "botpy.manage.C2CManageEvent": ("FriendAdd",),
}
"""What a function of the bot gets: the events of an annotation that no handler makes more exact."""

API = frozenset({"botpy.BotAPI", "botpy.api.BotAPI"})
CLIENT = frozenset({"botpy.Client", "botpy.client.Client"})
INTENTS = frozenset({"botpy.Intents", "botpy.flags.Intents"})
PERMISSION = frozenset({"botpy.Permission", "botpy.flags.Permission"})
COMMANDS = "botpy.ext.command_util.Commands"
READ_YAML = frozenset(
    {"botpy.ext.cog_yaml.read", "botpy.ext.yaml_util.YamlUtil.read", "botpy.utils.YamlUtil.read"}  # newest first
)
LOGGERS = frozenset({"botpy.logging.get_logger", "botpy.get_logger"})
LOGGER = "botpy.logger"

MODELS = {
    "botpy.types.announce.AnnouncesType": "AnnouncesType",
    "botpy.types.announce.RecommendChannel": "RecommendChannel",
    "botpy.types.announce.Announce": "Announces",
    "botpy.types.permission.APIPermission": "APIPermission",
    "botpy.types.permission.APIPermissionDemand": "APIPermissionDemand",
    "botpy.types.permission.APIPermissionDemandIdentify": "APIPermissionDemandIdentify",
    "botpy.types.schedule.Schedule": "Schedule",
    "botpy.types.schedule.RemindType": "RemindType",
    "botpy.types.emoji.EmojiType": "EmojiType",
    "botpy.types.emoji.Emoji": "Emoji",
    "botpy.types.pins_message.PinsMessage": "PinsMessage",
    "botpy.types.audio.AudioControl": "AudioControl",
    "botpy.types.channel.ChannelType": "ChannelType",
    "botpy.types.channel.ChannelSubType": "ChannelSubType",
    "botpy.types.channel.PrivateType": "PrivateType",
    "botpy.types.channel.SpeakPermission": "SpeakPermission",
    "botpy.types.channel.ChannelPayload": "Channel",
    "botpy.types.channel.ChannelPermissions": "ChannelPermissions",
    "botpy.types.guild.GuildPayload": "Guild",
    "botpy.types.guild.GuildRole": "Role",
    "botpy.types.guild.GuildRoles": "GuildRoles",
    "botpy.types.user.User": "User",
    "botpy.types.user.Member": "Member",
    "botpy.types.message.Message": "Message",
    "botpy.types.message.DmsPayload": "DMS",
    "botpy.types.reaction.ReactionUsers": "ReactionUsersPage",
    "botpy.types.forum.ForumRsp": "ThreadsPage",
    "botpy.types.forum.PostThreadRsp": "ForumTask",
    "botpy.types.forum.Thread": "Thread",
    "botpy.types.forum.Format": "ThreadFormat",
}
"""Classes of botpy.types that `qqbot.models` has too."""

ERRORS = {
    "botpy.errors.AuthenticationFailedError": "AuthError",
    "botpy.errors.ForbiddenError": "PermissionMissing",
    "botpy.errors.NotFoundError": "NotFound",
    "botpy.errors.MethodNotAllowedError": "ApiError",
    "botpy.errors.SequenceNumberError": "RateLimited",
    "botpy.errors.ServerError": "ApiError",
}
"""botpy raises ServerError for every status that has no class of its own, so that is ApiError here."""

MEMBERS = {
    "ChannelType": {
        "TEXT_CHANNEL": "TEXT",
        "VOICE_CHANNEL": "VOICE",
        "GROUP_CHANNEL": "CATEGORY",
        "LIVE_CHANNEL": "LIVE",
        "APP_CHANNEL": "APPLICATION",
        "DISCUSSION_CHANNEL": "FORUM",
    },
    "ChannelSubType": {"TALK": "CHAT", "POST": "NOTICE", "CHEAT": "GUIDE", "BLACK": "TEAM_GAME"},
    "PrivateType": {"PUBLIC": "PUBLIC", "ADMIN": "ADMINS", "SPECIFIED_USER": "ADMINS_AND_NAMED"},
    "SpeakPermission": {"INVALID": "INVALID", "EVERYONE": "EVERYBODY", "ADMIN": "ADMINS_AND_NAMED"},
    "AnnouncesType": {"MEMBER": "MEMBER", "WELCOME": "WELCOME"},
}
"""The members of each enumeration that has another name here."""

PERMISSIONS = {
    "view_permission": "VIEW",
    "manager_permission": "MANAGE",
    "speak_permission": "SPEAK",
    "live_permission": "LIVE",
}

RENAMED = {
    ("Guild", "is_owner"): "owner",
    ("ReadyUser", "name"): "username",
    ("DMS", "creat_time"): "create_time",
}
"""Fields of botpy that are spelled as neither the platform nor this package spells them."""


@dataclass(frozen=True)
class CallRow:
    """One call. `parameters`: botpy's, in order; `to`: the parameter here, the same if it is missing.

    `how`: a conversion of `calls` for a value that has another form here. `inside`: the key that botpy's answer has
    around what the call returns here. `fixed`: arguments that botpy's name implies.
    """

    target: str
    parameters: tuple[str, ...]
    to: dict[str, str] = field(default_factory=dict[str, str])
    how: dict[str, str] = field(default_factory=dict[str, str])
    fixed: dict[str, str] = field(default_factory=dict[str, str])
    inside: str = ""


_ROLE = ("guild_id", "role_id", "user_id", "channel_id")
_MUTE = ("mute_end_timestamp", "mute_seconds")
_MUTE_TO = {"mute_end_timestamp": "until", "mute_seconds": "seconds"}
_MUTE_HOW = {"mute_end_timestamp": "seconds_text", "mute_seconds": "number"}
_TIMES = ("name", "start_timestamp", "end_timestamp", "jump_channel_id", "remind_type")
_TIMES_TO = {"start_timestamp": "start", "end_timestamp": "end", "remind_type": "remind"}
_TIMES_HOW = {"start_timestamp": "milliseconds", "end_timestamp": "milliseconds", "remind_type": "RemindType"}
_EMOJI = ("channel_id", "message_id", "emoji_type", "emoji_id")

CALLS = {
    "get_guild": CallRow("guilds.get", ("guild_id",)),
    "get_guild_roles": CallRow("roles.of_guild", ("guild_id",)),
    "create_guild_role": CallRow("roles.create", ("guild_id",), how={"hoist": "flag"}),
    "update_guild_role": CallRow("roles.modify", ("guild_id", "role_id"), how={"hoist": "flag"}),
    "delete_guild_role": CallRow("roles.delete", ("guild_id", "role_id")),
    "create_guild_role_member": CallRow("roles.add_member", _ROLE),
    "delete_guild_role_member": CallRow("roles.remove_member", _ROLE),
    "get_guild_member": CallRow("members.get", ("guild_id", "user_id")),
    "get_delete_member": CallRow("members.remove", ("guild_id", "user_id", "add_blacklist", "delete_history_msg_days")),
    "get_guild_members": CallRow("members.of_guild", ("guild_id", "after", "limit")),
    "get_guild_role_members": CallRow("members.of_role", ("guild_id", "role_id", "start_index", "limit")),
    "get_voice_members": CallRow("channels.voice_members", ("channel_id",)),
    "get_channel": CallRow("channels.get", ("channel_id",)),
    "get_channels": CallRow("channels.of_guild", ("guild_id",)),
    "create_channel": CallRow(
        "channels.create",
        ("guild_id", "name", "type", "sub_type"),
        {"type": "kind"},
        {
            "type": "ChannelType",
            "sub_type": "ChannelSubType",
            "private_type": "PrivateType",
            "speak_permission": "SpeakPermission",
        },
    ),
    "update_channel": CallRow(
        "channels.modify",
        ("channel_id",),
        how={"private_type": "PrivateType", "speak_permission": "SpeakPermission"},
    ),
    "delete_channel": CallRow("channels.delete", ("channel_id",)),
    "get_channel_user_permissions": CallRow("permissions.of_member", ("channel_id", "user_id")),
    "update_channel_user_permissions": CallRow("permissions.modify_member", ("channel_id", "user_id", "add", "remove")),
    "get_channel_role_permissions": CallRow("permissions.of_role", ("channel_id", "role_id")),
    "update_channel_role_permissions": CallRow("permissions.modify_role", ("channel_id", "role_id", "add", "remove")),
    "get_message": CallRow("channels.message", ("channel_id", "message_id"), inside="message"),
    "recall_message": CallRow("channels.recall", ("channel_id", "message_id", "hidetip"), {"hidetip": "hide_tip"}),
    "on_interaction_result": CallRow("interactions.ack", ("interaction_id", "code")),
    "create_dms": CallRow(
        "direct_messages.create",
        ("guild_id", "user_id"),
        {"guild_id": "source_guild_id", "user_id": "recipient_id"},
    ),
    "update_audio": CallRow(
        "audio.control", ("channel_id", "audio_control"), {"audio_control": "control"}, {"audio_control": "audio"}
    ),
    "on_microphone": CallRow("audio.mic_on", ("channel_id",)),
    "off_microphone": CallRow("audio.mic_off", ("channel_id",)),
    "me": CallRow("users.me", ()),
    "me_guilds": CallRow("users.guilds", ("guild_id", "limit", "desc"), {"guild_id": "after"}),
    "get_ws_url": CallRow("gateway.bot", ()),
    "mute_all": CallRow("mute.guild", ("guild_id", *_MUTE), _MUTE_TO, _MUTE_HOW),
    "cancel_mute_all": CallRow("mute.guild", ("guild_id",), fixed={"seconds": "0"}),
    "mute_member": CallRow("mute.member", ("guild_id", "user_id", *_MUTE), _MUTE_TO, _MUTE_HOW),
    "mute_multi_member": CallRow("mute.members", ("guild_id", "user_ids", *_MUTE), _MUTE_TO, _MUTE_HOW),
    "cancel_mute_multi_member": CallRow("mute.members", ("guild_id", "user_ids"), fixed={"seconds": "0"}),
    "create_announce": CallRow("announces.create", ("guild_id", "channel_id", "message_id")),
    "create_recommend_announce": CallRow(
        "announces.recommend",
        ("guild_id", "announces_type", "recommend_channels"),
        {"announces_type": "kind", "recommend_channels": "channels"},
        {"announces_type": "AnnouncesType", "recommend_channels": "recommended"},
    ),
    "delete_announce": CallRow("announces.delete", ("guild_id", "message_id")),
    "get_permissions": CallRow("api_permissions.of_guild", ("guild_id",)),
    "post_permission_demand": CallRow(
        "api_permissions.demand",
        ("guild_id", "channel_id", "api_identify", "desc"),
        {"api_identify": "api"},
        {"api_identify": "identify"},
    ),
    "get_schedules": CallRow("schedules.of_channel", ("channel_id", "since"), how={"since": "milliseconds"}),
    "get_schedule": CallRow("schedules.get", ("channel_id", "schedule_id")),
    "create_schedule": CallRow("schedules.create", ("channel_id", *_TIMES), _TIMES_TO, _TIMES_HOW),
    "update_schedule": CallRow("schedules.modify", ("channel_id", "schedule_id", *_TIMES), _TIMES_TO, _TIMES_HOW),
    "delete_schedule": CallRow("schedules.delete", ("channel_id", "schedule_id")),
    "put_reaction": CallRow("reactions.add", _EMOJI),
    "delete_reaction": CallRow("reactions.delete", _EMOJI),
    "get_reaction_users": CallRow("reactions.users", (*_EMOJI, "cookie", "limit")),
    "put_pin": CallRow("pins.add", ("channel_id", "message_id")),
    "delete_pin": CallRow("pins.delete", ("channel_id", "message_id")),
    "get_pins": CallRow("pins.of_channel", ("channel_id",)),
    "get_threads": CallRow("forums.threads", ("channel_id",)),
    "get_thread_detail": CallRow("forums.thread", ("channel_id", "thread_id"), inside="thread"),
    "post_thread": CallRow(
        "forums.create_thread",
        ("channel_id", "title", "content", "format"),
        {"format": "form"},
        {"format": "ThreadFormat"},
    ),
    "delete_thread": CallRow("forums.delete_thread", ("channel_id", "thread_id")),
}
"""The calls of `BotAPI` that send no message."""

_GUILD_MESSAGE = (
    "content",
    "embed",
    "ark",
    "message_reference",
    "image",
    "file_image",
    "msg_id",
    "event_id",
    "markdown",
    "keyboard",
)
_V2_MESSAGE = (
    "msg_type",
    "content",
    "embed",
    "ark",
    "message_reference",
    "media",
    "msg_id",
    "msg_seq",
    "event_id",
    "markdown",
    "keyboard",
)


@dataclass(frozen=True)
class SendRow:
    """A call that sends a message. `place`: its parameter for the conversation; `own`: where an event has that id."""

    target: str
    place: str
    parameters: tuple[str, ...]
    own: tuple[str, ...]


SENDS = {
    "post_message": SendRow("channels.send_message", "channel_id", _GUILD_MESSAGE, ("channel_id",)),
    "post_dms": SendRow("direct_messages.send_message", "guild_id", _GUILD_MESSAGE, ("guild_id",)),
    "post_group_message": SendRow("groups.send_message", "group_openid", _V2_MESSAGE, ("group_openid",)),
    "post_c2c_message": SendRow(
        "c2c.send_message", "openid", _V2_MESSAGE, ("author.user_openid", "author.id", "user_openid", "openid")
    ),
    "post_keyboard_message": SendRow("channels.send_message", "channel_id", ("keyboard", "markdown"), ("channel_id",)),
}
UPLOADS = {"post_group_file": ("groups", "group_openid"), "post_c2c_file": ("c2c", "openid")}
MEDIA = {"1": "image", "2": "video", "3": "voice", "4": "file"}
"""The class method of `Media` for each `file_type`."""

HINTS = {
    "botpy.ext.cog_apscheduler": "start a scheduler of your own in Bot(lifespan=...). 请在 lifespan 中启动自己的调度器",
    "botpy.ext.convert_color": "colours are numbers, 0xFFRRGGBB. 颜色请直接写 0xFFRRGGBB",
    "botpy.ext.channel_jump": "use parse_tags and ChannelLink. 请改用 parse_tags 和 ChannelLink",
    "botpy.logging.configure_logging": "use logging.basicConfig(...). 请改用 logging.basicConfig(...)",
    "botpy.http": "use bot.api.call(Route(name, method, path, bytes)). 请改用 bot.api.call",
    "http": "use bot.api.call(Route(name, method, path, bytes)). 请改用 bot.api.call",
    "botpy.Intents": "intents follow from the handlers. intents 由事件处理函数决定",
    "botpy.flags.Intents": "intents follow from the handlers. intents 由事件处理函数决定",
    "start": "bot.start() returns when the bot is served, bot.wait() when it ends. start 后用 bot.wait() 等待",
}
"""What to do about a name of botpy, or an attribute of its client, without a counterpart; by the start of the name."""
