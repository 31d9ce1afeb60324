"""Endpoints of emoji reactions in channels."""

from ...platform import Platform
from ...state.guild import ChannelState
from ...state.world import BOT_NAME, Conversation
from ...wire import JsonObject
from ...wire.refusal import Refusal
from ..call import EndpointCall, limit_of, number_of
from ..lookups import find_channel

_TYPES = ("1", "2")
_MAX_EMOJI = 20
_PAGE = 20
_MAX_PAGE = 50

ReactionKey = tuple[str, str, str]


def _find(platform: Platform, call: EndpointCall) -> tuple[ChannelState, ReactionKey]:
    """Return the channel's state and message id, emoji type and emoji id.  Raises: Refusal 10003, 620001."""
    channel = find_channel(platform, call)
    message_id, kind, emoji = (call.params[name] for name in ("message_id", "type", "id"))
    if platform.world.message_in(channel, message_id) is None or kind not in _TYPES:
        raise Refusal(620001, "no such message in this channel, or no such type of emoji")
    return platform.guild_states.channel(channel), (message_id, kind, emoji)


def add_reaction(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/trans/emoji; fires MESSAGE_REACTION_ADD."""
    state, key = _find(platform, call)
    if key not in state.reactions and sum(each[0] == key[0] for each in state.reactions) >= _MAX_EMOJI:
        raise Refusal(620002, "too many kinds of emoji on the message")
    if platform.world.bot_id in state.reactions.get(key, []):
        raise Refusal(620003, "set already")
    set_reaction(platform, find_channel(platform, call), key, platform.world.bot_id)
    return None


def delete_reaction(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/trans/emoji; fires MESSAGE_REACTION_REMOVE."""
    state, key = _find(platform, call)
    if platform.world.bot_id not in state.reactions.get(key, []):
        raise Refusal(620004, "not set by the bot")
    unset_reaction(platform, find_channel(platform, call), key, platform.world.bot_id)
    return None


def set_reaction(platform: Platform, channel: Conversation, key: ReactionKey, user_id: str) -> None:
    """Add a reaction of a user and push the event; `key`: message id, emoji type, emoji id."""
    reactions = platform.guild_states.channel(channel).reactions
    reactions.setdefault(key, []).append(user_id)
    _push(platform, "MESSAGE_REACTION_ADD", channel, key, user_id)


def unset_reaction(platform: Platform, channel: Conversation, key: ReactionKey, user_id: str) -> None:
    """Remove a reaction of a user and push the event."""
    reactions = platform.guild_states.channel(channel).reactions
    reactions[key].remove(user_id)
    if not reactions[key]:
        del reactions[key]
    _push(platform, "MESSAGE_REACTION_REMOVE", channel, key, user_id)


def _push(platform: Platform, kind: str, channel: Conversation, key: ReactionKey, user_id: str) -> None:
    message_id, emoji_type, emoji_id = key
    _publish(platform, channel, message_id)
    body: JsonObject = {
        "user_id": user_id,
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "target": {"id": message_id, "type": "ReactionTargetType_MSG"},
        "emoji": {"id": emoji_id, "type": int(emoji_type)},
    }
    platform.push(kind, body)


def _publish(platform: Platform, channel: Conversation, message_id: str) -> None:
    if (message := platform.world.message(message_id)) is None:
        return
    message.reactions = {
        f"{kind}:{emoji}": [_name(platform, user_id) for user_id in users]
        for (about, kind, emoji), users in platform.guild_states.channel(channel).reactions.items()
        if about == message_id
    }
    platform.world.changed(message)


def list_reaction_users(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/trans/emoji; a cookie contains the offset and the size of the first page."""
    state, key = _find(platform, call)
    users = state.reactions.get(key, [])
    place, _, size = call.query.get("cookie", "").partition("-")
    start, limit = number_of(place), number_of(size) or limit_of(call, _PAGE, _MAX_PAGE)
    end = start + limit
    page = [_user(platform, user_id) for user_id in users[start:end]]
    return {"users": page, "cookie": f"{end}-{limit}" if end < len(users) else "", "is_end": end >= len(users)}


def _user(platform: Platform, user_id: str) -> JsonObject:
    return {"id": user_id, "username": _name(platform, user_id), "avatar": ""}


def _name(platform: Platform, user_id: str) -> str:
    return BOT_NAME if user_id == platform.world.bot_id else platform.world.find_recipient(user_id) or ""
