"""Messages that are pinned in a channel."""

from .base import Model


class PinsMessage(Model, frozen=True, kw_only=True):
    """The pinned messages of a channel, at most 20.  Source: server-inter/channel/content/pins/model"""

    guild_id: str = ""
    channel_id: str = ""
    message_ids: tuple[str, ...] = ()
