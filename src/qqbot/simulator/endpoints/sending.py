"""Endpoints that send and recall messages in groups, C2C chats, channels and guild private chats.

Responsible for the order of a send: content checks, quotas or reply window, then the message.
Collaborators: `content`, `state.quotas`, `state.replies`, `state.media`, `state.audits`.
"""

import asyncio

from .. import payloads
from ..platform import Platform
from ..state import cards
from ..state.audits import PendingAudit, Review, new_audit_id
from ..state.world import Conversation, MessageRecord
from ..wire import JsonObject, identity, object_of, text_of
from ..wire.refusal import Refusal
from . import content
from .call import EndpointCall
from .lookups import find_channel, find_dms, find_group, find_user

RECALL_WINDOW = 120.0
"""Seconds during which the bot may recall its own group or C2C message."""


def send_group_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/send."""
    return _send_v2(platform, find_group(platform, call), call.body)


def send_c2c_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/send."""
    return _send_v2(platform, find_user(platform, call), call.body)


def _send_v2(platform: Platform, conversation: Conversation, body: JsonObject) -> object:
    body = content.without_blanks(body)
    content.check_v2(conversation.scene, body, platform.registered_domains)
    media = platform.media.use(conversation.scene, object_of(body, "media")) if "media" in body else None
    card = cards.from_bot(object_of(body, "card")) if "card" in body else None
    count_message(platform, conversation, body)
    message = platform.bot_message(conversation, identity.message_id())
    _fill(platform, message, body)
    if card is not None:
        message.kind, message.card, message.text = "card", card, message.text or cards.summary(card)
    if media is not None:
        message.kind, message.media = "media", media
        message.text = (message.text or "").strip() or None  # clients add a single space
    if body.get("msg_type") == content.INPUT_NOTIFY:
        platform.typing(conversation, object_of(body, "input_notify").get("input_second"))
        return {"id": message.id, "timestamp": message.time}  # shown as typing, not as a message
    platform.take(message, _reference(body))
    return {"id": message.id, "timestamp": message.time, "ext_info": {"ref_idx": message.ref}}


def count_message(platform: Platform, conversation: Conversation, body: JsonObject) -> None:
    """Count a reply, a wake-up or an active message.  Raises: Refusal if it may not be sent."""
    if body.get("is_wakeup") is True:
        if _reference(body):
            raise Refusal(40034123, "is_wakeup goes with neither msg_id nor event_id")
        platform.quotas.wake(conversation)
    elif _reference(body):
        platform.reply_windows.use(conversation, body)
    elif body.get("msg_type") != content.INPUT_NOTIFY:
        platform.quotas.take(conversation)


def _fill(platform: Platform, message: MessageRecord, body: JsonObject) -> None:
    quoted = platform.world.find_quoted(
        message.conversation, text_of(object_of(body, "message_reference"), "message_id")
    )
    message.quote = quoted.id if quoted else None
    message.text = text_of(body, "content") or None
    message.reply_to = text_of(body, "msg_id") or None
    message.keyboard = object_of(body, "keyboard") or None
    message.ark = object_of(body, "ark") or None
    message.embed = object_of(body, "embed") or None
    if "markdown" in body:
        markdown = object_of(body, "markdown")
        message.kind = "markdown"
        message.markdown = text_of(markdown, "content") or f"[template {_template(markdown)}]"
    elif "ark" in body:
        message.text = f"[ark {object_of(body, 'ark').get('template_id')}]"
    elif "embed" in body:
        message.text = text_of(object_of(body, "embed"), "title")


def _template(markdown: JsonObject) -> object:
    return markdown.get("custom_template_id") or markdown.get("template_id")


def _reference(body: JsonObject) -> str:
    return text_of(body, "msg_id") or text_of(body, "event_id")


def upload_group_media(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/rich-media."""
    return _upload(platform, find_group(platform, call), call.body)


def upload_c2c_media(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/rich-media."""
    return _upload(platform, find_user(platform, call), call.body)


def _upload(platform: Platform, conversation: Conversation, body: JsonObject) -> object:
    sends = body.get("srv_send_msg") is True
    if sends:
        platform.quotas.take(conversation)
    result = platform.media.upload(conversation.scene, body)
    if sends:
        message = platform.bot_message(conversation, identity.message_id())
        message.kind, message.media = "media", platform.media.use(conversation.scene, result)
        platform.take(message, "")
        result["id"] = message.id
    return result


def prepare_group_upload(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_id_upload_prepare.post."""
    return _prepare(platform, find_group(platform, call), call.body)


def prepare_c2c_upload(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_users_user_id_upload_prepare.post."""
    return _prepare(platform, find_user(platform, call), call.body)


def _prepare(platform: Platform, conversation: Conversation, body: JsonObject) -> object:
    return platform.media.uploads.prepare(conversation.scene, body, platform.http_base)


def finish_group_upload_part(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_groups_group_id_upload_part_finish.post."""
    return platform.media.uploads.finish_part(find_group(platform, call).scene, call.body)


def finish_c2c_upload_part(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_users_user_id_upload_part_finish.post."""
    return platform.media.uploads.finish_part(find_user(platform, call).scene, call.body)


def delete_group_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/reset."""
    return _recall_v2(platform, find_group(platform, call), call)


def delete_c2c_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/reset."""
    return _recall_v2(platform, find_user(platform, call), call)


def _recall_v2(platform: Platform, conversation: Conversation, call: EndpointCall) -> object:
    message = platform.world.message_in(conversation, call.params["message_id"])
    if message is None:
        raise Refusal(40061002, "recall: the message id is invalid")
    if message.sender != "bot":
        raise Refusal(40062003, "recall: no right")
    if platform.clock.now() - message.at > RECALL_WINDOW:
        raise Refusal(40064004, "recall: later than 2 minutes")
    platform.world.remove(message)
    return None


# Guild


def send_channel_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/message/send."""
    return _send_guild(platform, find_channel(platform, call), call.body)


def send_dms(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/dms/post_dms_messages."""
    return _send_guild(platform, find_dms(platform, call), call.body)


def _send_guild(platform: Platform, conversation: Conversation, body: JsonObject) -> object:
    body = content.without_blanks(body)
    content.check_guild(body, platform.registered_domains, styled=platform.rights.invited)
    count_message(platform, conversation, body)
    message = platform.bot_message(conversation, identity.guild_message_id())
    _fill(platform, message, body)
    if "image" in body or "file_image" in body:
        message.kind = "media"
        image = body.get("file_image")
        url = platform.files.store(image, name="", kind="image") if isinstance(image, bytes) else text_of(body, "image")
        message.media = {"kind": "image", "url": url or None, "name": None}
    message.guild = payloads.bot_message(platform.world, message, body)
    if (review := platform.audits.next()) is not None:
        raise _start_audit(platform, message, review, _reference(body))
    platform.take(message, _reference(body))
    return message.guild


def _start_audit(platform: Platform, message: MessageRecord, review: Review, reference: str) -> PendingAudit:
    """Schedule the result of an audit; return the answer to the send."""
    audit_id, conversation = new_audit_id(), message.conversation
    notice = platform.world.notice(conversation, "audit_pending", text=message.markdown or message.text)

    def push_result() -> None:
        result: JsonObject = {
            "audit_id": audit_id,
            "guild_id": conversation.guild_id,
            "channel_id": conversation.channel_id,
            "audit_time": platform.clock.timestamp(),
            "create_time": message.time,
        }
        if review.passes:
            platform.take(message, reference)
            result["message_id"] = message.id
        platform.world.change_notice(notice, "audit_passed" if review.passes else "audit_rejected")
        platform.push(review.event, result)

    if review.overtakes:
        push_result()
    else:
        asyncio.get_running_loop().call_later(review.delay, push_result)
    return PendingAudit(audit_id, is_reply=bool(reference))


def delete_channel_message(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/reset."""
    return _recall_guild(platform, find_channel(platform, call), call)


def delete_dms(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/message/send-receive/reset."""
    chat = find_dms(platform, call)
    message = platform.world.message(call.params["message_id"])
    if message is not None and message.sender != "bot":
        raise Refusal(306004, "recall: no right")
    return _recall_guild(platform, chat, call)


def _recall_guild(platform: Platform, conversation: Conversation, call: EndpointCall) -> object:
    message = platform.world.message_in(conversation, call.params["message_id"])
    if message is None:
        raise Refusal(306002, "recall: the message id is wrong")
    platform.world.remove(message)
    return None
