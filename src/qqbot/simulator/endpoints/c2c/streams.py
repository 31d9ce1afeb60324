"""Endpoint of streamed messages in C2C: fragments that form one message.

Collaborators: `state.streams` (streams in progress), `sending` (quotas and reply windows).

Source: autogen/api/v2_users_user_openid_stream_messages.post.
"""

from ...platform import Platform
from ...state.streams import Stream
from ...state.world import Conversation
from ...wire import JsonObject, identity, is_integer, text_of
from ...wire.refusal import Refusal
from .. import content
from ..call import EndpointCall
from ..lookups import find_user
from ..sending import count_message

FINISHED = 10
MAX_CHARACTERS = 5000


def send_c2c_stream_message(platform: Platform, call: EndpointCall) -> object:
    """Accept one fragment; the first creates the message."""
    chat = find_user(platform, call)
    body = call.body
    stream = _start(platform, chat, body) if "stream_msg_id" not in body else _continue(platform, body)
    index = body.get("index", 0)
    if not is_integer(index) or index < stream.index or (stream.index == 0 and index != 0):
        raise Refusal(12002, "index has to grow from 0")
    stream.shown = _text(stream, body)
    content.check_links(stream.shown, platform.registered_domains)
    stream.index = index + 1
    stream.ended = body.get("input_state") == FINISHED
    _publish(platform, stream, body)
    return {
        "id": stream.message.id,
        "timestamp": stream.message.time,
        "remain_msg_len": MAX_CHARACTERS - len(stream.shown),
    }


def _start(platform: Platform, chat: Conversation, body: JsonObject) -> Stream:
    if not (text_of(body, "msg_id") or text_of(body, "event_id") or body.get("is_wakeup") is True):
        raise Refusal(40034024, "a stream answers a message or an event")
    count_message(platform, chat, body)
    message = platform.bot_message(chat, identity.message_id())
    message.reply_to = text_of(body, "msg_id") or None
    message.streaming = True
    stream = platform.streams.begin(message, body.get("msg_seq"))
    platform.world.add(message)
    return stream


def _continue(platform: Platform, body: JsonObject) -> Stream:
    stream = platform.streams.streams.get(text_of(body, "stream_msg_id"))
    if stream is None or stream.ended:
        raise Refusal(12002, "stream_msg_id is of no stream that goes on")
    if body.get("msg_seq") != stream.seq:
        raise Refusal(12002, "msg_seq differs from that of the first fragment")
    return stream


def _text(stream: Stream, body: JsonObject) -> str:
    raw = text_of(body, "content_raw")
    if body.get("input_mode") != "replace":
        raw = stream.shown + raw
    if not raw.startswith(stream.shown):
        raise Refusal(40007, "the text does not begin with what was shown")
    if len(raw) > MAX_CHARACTERS:
        raise Refusal(40054007, "the text is too long")
    return raw


def _publish(platform: Platform, stream: Stream, body: JsonObject) -> None:
    message = stream.message
    if body.get("content_type") == "markdown":
        message.kind, message.markdown = "markdown", stream.shown
    else:
        message.text = stream.shown
    message.streaming = not stream.ended
    platform.world.changed(message)
    if stream.ended:
        platform.exchanges.sent(message, text_of(body, "msg_id") or text_of(body, "event_id"))
