"""Endpoints about emoji on messages of channels."""

from .calls import Call, limit_of, number_of
from .guild_book import ChannelState
from .platform import Platform
from .refusal import Refusal
from .sending import find_channel
from .wire import JsonObject
from .world import BOT_NAME

_TYPES = ("1", "2")
_MOST_KINDS = 20
_PAGE = 20
_MOST = 50

_Key = tuple[str, str, str]


def _find(platform: Platform, call: Call) -> tuple[ChannelState, _Key]:
    """Return the channel's state and message id, emoji type and emoji id.  Raises: Refusal 10003, 620001."""
    channel = find_channel(platform, call)
    message_id, kind, emoji = (call.params[name] for name in ("message_id", "type", "id"))
    message = platform.world.message(message_id)
    if message is None or message.conversation is not channel or kind not in _TYPES:
        raise Refusal(620001, "no such message in this channel, or no such type of emoji")
    return platform.guild_book.channel(channel), (message_id, kind, emoji)


def add_reaction(platform: Platform, call: Call) -> object:
    """Source: server-inter/message/trans/emoji; fires MESSAGE_REACTION_ADD."""
    state, key = _find(platform, call)
    if key not in state.reactions and sum(each[0] == key[0] for each in state.reactions) >= _MOST_KINDS:
        raise Refusal(620002, "too many kinds of emoji on the message")
    users = state.reactions.setdefault(key, [])
    if platform.world.bot_id in users:
        raise Refusal(620003, "set already")
    users.append(platform.world.bot_id)
    _tell(platform, "MESSAGE_REACTION_ADD", call)
    return None


def delete_reaction(platform: Platform, call: Call) -> object:
    """Source: server-inter/message/trans/emoji; fires MESSAGE_REACTION_REMOVE."""
    state, key = _find(platform, call)
    users = state.reactions.get(key, [])
    if platform.world.bot_id not in users:
        raise Refusal(620004, "not set by the bot")
    users.remove(platform.world.bot_id)
    if not users:
        del state.reactions[key]
    _tell(platform, "MESSAGE_REACTION_REMOVE", call)
    return None


def _tell(platform: Platform, kind: str, call: Call) -> None:
    channel = find_channel(platform, call)
    body: JsonObject = {
        "user_id": platform.world.bot_id,
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "target": {"id": call.params["message_id"], "type": "ReactionTargetType_MSG"},
        "emoji": {"id": call.params["id"], "type": int(call.params["type"])},
    }
    platform.push(kind, body)


def list_reaction_users(platform: Platform, call: Call) -> object:
    """Source: server-inter/message/trans/emoji; a cookie holds the place and the size of the first page."""
    state, key = _find(platform, call)
    users = state.reactions.get(key, [])
    place, _, size = call.query.get("cookie", "").partition("-")
    start, limit = number_of(place), number_of(size) or limit_of(call, _PAGE, _MOST)
    end = start + limit
    page = [_user(platform, user_id) for user_id in users[start:end]]
    return {"users": page, "cookie": f"{end}-{limit}" if end < len(users) else "", "is_end": end >= len(users)}


def _user(platform: Platform, user_id: str) -> JsonObject:
    name = BOT_NAME if user_id == platform.world.bot_id else platform.world.find_recipient(user_id)
    return {"id": user_id, "username": name or "", "avatar": ""}
