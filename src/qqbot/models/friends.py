"""Changes between the bot and a user: added, removed, notifications switched.

Responsible for the payload; the events that carry it are in `events`.
"""

from .base import Aware, Id, Model
from .users import FriendAuthor


class FriendEvent(Model, frozen=True, kw_only=True):
    """A user's relation to the bot changed.

    If a friend is added, `scene` is where the user found the bot (1000 default, 1001 search, 1003 group,
    2001 shared card, ...) and `scene_param` is the data of the link that the user opened.

    Source: autogen/event/friend_add
    """

    openid: Id
    timestamp: Aware | None = None
    scene: int = 0
    scene_param: str = ""
    author: FriendAuthor = FriendAuthor()
    short_code: str = ""
    nick: str = ""
    avatar: str = ""
