"""The result of the platform's review of a message that the bot sent.

Responsible for the payload; `bot.audits` waits for it.
"""

from .base import Aware, Id, Model


class MessageAudited(Model, frozen=True, kw_only=True):
    """A reviewed message; `audit_id` is the one from sending it, `message_id` is set if it passed.

    Source: server-inter/channel/message/event
    """

    audit_id: Id
    message_id: str = ""
    guild_id: str = ""
    channel_id: str = ""
    audit_time: Aware | None = None
    create_time: Aware | None = None
    seq_in_channel: str = ""
    user_openid: str = ""
    group_openid: str = ""
