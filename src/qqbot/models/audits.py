"""What the platform's review said of a message that the bot sent.

Owns the payload; waiting for it is the bot's.
"""

from .base import Aware, Id, Model


class MessageAudited(Model, frozen=True, kw_only=True):
    """A message that waited for a review; `audit_id` is what sending it said, `message_id` is set when it passed.

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
