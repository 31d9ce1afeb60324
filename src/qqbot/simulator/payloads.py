"""Event bodies: what the platform pushes when a user writes or clicks.

Responsible for the JSON of messages, clicks, searches and recalls. Pure: it reads the world and returns documents.
Each function names its source; the field tables are in models.json.
"""

from .state.world import BOT_NAME, Conversation, MessageRecord, Person, World
from .wire import JsonObject, identity, is_array, object_of

_MESSAGE_KINDS = {
    "group": ("GROUP_AT_MESSAGE_CREATE", "GROUP_MESSAGE_CREATE"),
    "c2c": ("C2C_MESSAGE_CREATE", "C2C_MESSAGE_CREATE"),
    "channel": ("AT_MESSAGE_CREATE", "MESSAGE_CREATE"),
    "dms": ("DIRECT_MESSAGE_CREATE", "DIRECT_MESSAGE_CREATE"),
}

_CARD, _QUOTE = 3, 103  # message_type
_ALL_MEMBERS = ("@全体成员", "@everyone")


def message_kind(conversation: Conversation, mention: bool) -> str:
    """Return the event type of a message."""
    return _MESSAGE_KINDS[conversation.scene][0 if mention and not conversation.all_messages else 1]


def message_body(world: World, message: MessageRecord, person: Person) -> JsonObject:
    """Return `d` of a message event."""
    scene = message.conversation.scene
    if scene == "group":
        body = _group_message(world, message, person)
    elif scene == "c2c":
        body = _v2_message(message, {"user_openid": person.id})
    else:
        body = _guild_message(world, message, person)
    if message.attachments:
        body["attachments"] = message.attachments
    body |= _card(message)
    if (quoted := world.message(message.quote or "")) is not None:
        _add_quote(body, quoted)
    return body


def _card(message: MessageRecord) -> JsonObject:
    """Source: autogen/event/c2c_message_create."""
    return {} if message.card is None else {"message_type": _CARD, "ark_data": message.card}


def _add_quote(body: JsonObject, quoted: MessageRecord) -> None:
    """Source: server-inter/message/send-receive/event."""
    if quoted.conversation.scene in ("channel", "dms"):
        body["message_reference"] = {"message_id": quoted.id}
        return
    ext = object_of(body, "message_scene").get("ext")
    body["message_scene"] = {"source": "default", "ext": [*(ext if is_array(ext) else []), f"ref_msg_idx={quoted.ref}"]}
    body["message_type"] = _QUOTE
    element: JsonObject = {
        "msg_idx": quoted.ref,
        "author": {"username": quoted.author, "bot": quoted.sender == "bot"},
        "message_type": 0,
        "content": quoted.markdown or quoted.text or "",
        "attachments": quoted.attachments,
    }
    body["msg_elements"] = [element | _card(quoted)]


def recall_body(message: MessageRecord, person: Person) -> tuple[str, JsonObject] | None:
    """Return type and `d` of the event of a recalled message; None in groups and C2C, which have no such event.

    Source: server-inter/channel/message/event.
    """
    where = message.conversation
    if where.scene in ("group", "c2c"):
        return None
    author: JsonObject = {"id": person.id, "username": person.name, "bot": False}
    about: JsonObject = {"id": message.id, "channel_id": where.channel_id, "guild_id": where.guild_id, "author": author}
    kind = "DIRECT_MESSAGE_DELETE" if where.scene == "dms" else "PUBLIC_MESSAGE_DELETE"
    return kind, {"message": about, "op_user": {"id": person.id}}


def without_mention(text: str) -> str:
    """Return the text without the leading mention of the bot."""
    return text.removeprefix(f"@{BOT_NAME}").lstrip()


def _v2_message(message: MessageRecord, author: JsonObject) -> JsonObject:
    """Source: autogen/event/c2c_message_create."""
    return {
        "id": message.id,
        "author": {"id": next(iter(author.values())), "union_openid": "", "username": message.author, **author},
        "content": message.text or "",
        "timestamp": message.time,
        "message_scene": {"source": "default", "ext": [f"msg_idx={message.ref}"]},
        "message_type": 0,
    }


def _group_message(world: World, message: MessageRecord, person: Person) -> JsonObject:
    """Return the message; the leading mention is cut and a space stays, or its tag stays if the group says so.

    Source: autogen/event/group_at_message_create.
    """
    author: JsonObject = {"member_openid": person.id, "member_role": person.role, "bot": False}
    group = message.conversation.id
    body = _v2_message(message, author) | {"group_id": group, "group_openid": group}
    text, named = _mentioned(message, "<@{}>")
    if message.mention:
        tag = f"<@{world.bot_openid(message.conversation)}>" if message.conversation.mention_tag else ""
        text = f"{tag} {without_mention(text)}"
    body["content"] = text
    mentions: list[JsonObject] = [_mention_of_bot(world, message.conversation)] if message.mention else []
    if any(name in (message.text or "") for name in _ALL_MEMBERS):
        mentions.append({"scope": "all", "is_you": True})  # without an id: it does not mention the bot
    mentions += [_mention_of_member(each) for each in named]
    return body | ({"mentions": mentions} if mentions else {})


def _mentioned(message: MessageRecord, tag: str) -> tuple[str, list[Person]]:
    """Return the text with a tag for each `@name` of a member, and these members. A card mentions no member."""
    text = message.text or ""
    named: list[Person] = []
    people = message.conversation.people.values() if message.card is None else ()
    for person in sorted(people, key=lambda each: -len(each.name)):
        if f"@{person.name}" in text:
            text = text.replace(f"@{person.name}", tag.format(person.id))
            named.append(person)
    return text, named


def _mention_of_member(person: Person) -> JsonObject:
    who = {"id": person.id, "member_openid": person.id, "username": person.name}
    return {"scope": "single", **who, "bot": False, "is_you": False}


def _mention_of_bot(world: World, conversation: Conversation) -> JsonObject:
    openid = world.bot_openid(conversation)
    who = {"id": openid, "member_openid": openid, "username": BOT_NAME}
    return {"scope": "single", **who, "bot": True, "is_you": True}


def _guild_message(world: World, message: MessageRecord, person: Person) -> JsonObject:
    """Source: server-inter/channel/message/event."""
    where = message.conversation
    body: JsonObject = {
        "id": message.id,
        "channel_id": where.channel_id,
        "guild_id": where.guild_id,
        "content": message.text or "",
        "timestamp": message.time,
        "author": {"id": person.id, "username": person.name, "avatar": "", "bot": False},
        "member": {"nick": person.name, "roles": world.roles_of(where, person) or ["1"], "joined_at": person.joined_at},
        "seq": where.count,
        "seq_in_channel": str(where.count),
    }
    if where.scene == "dms":
        return body | {"direct_message": True, "src_guild_id": where.source_guild_id}
    text, named = _mentioned(message, "<@!{}>")
    body["content"] = f"<@!{world.bot_id}> {without_mention(text)}" if message.mention else text
    mentions: list[JsonObject] = []
    if message.mention:
        mentions.append({"id": world.bot_id, "username": BOT_NAME, "avatar": "", "bot": True})
    mentions.extend({"id": each.id, "username": each.name, "avatar": "", "bot": False} for each in named)
    return body | ({"mentions": mentions} if mentions else {})


def click_body(
    app_id: str, message: MessageRecord, person: Person, *, button_id: str, data: str, timestamp: str
) -> JsonObject:
    """Return `d` of INTERACTION_CREATE for a callback button.

    Source: autogen/event/interaction_create.
    """
    where = message.conversation
    resolved: JsonObject = {"button_id": button_id, "button_data": data, "message_id": message.id}
    body: JsonObject = {
        "id": identity.trace_id(),
        "application_id": app_id,
        "type": 11,
        "timestamp": timestamp,
        "version": 1,
        "data": {"type": 11, "resolved": resolved},
    }
    match where.scene:
        case "group":
            place: JsonObject = {"group_openid": where.id, "group_member_openid": person.id}
            return body | {"scene": "group", "chat_type": 1} | place
        case "c2c":
            return body | {"scene": "c2c", "chat_type": 2, "user_openid": person.id}
        case _:
            resolved["user_id"] = person.id
            place = {"guild_id": where.guild_id, "channel_id": where.channel_id}
            return body | {"scene": "guild", "chat_type": 0} | place


def search_body(app_id: str, person: Person, keyword: str, timestamp: str) -> JsonObject:
    """Return `d` of INTERACTION_CREATE for a search by the bot.

    Source: botgo dto/interaction_search.go.
    """
    return {
        "id": identity.trace_id(),
        "application_id": app_id,
        "type": 2,
        "scene": "c2c",
        "chat_type": 2,
        "user_openid": person.id,
        "timestamp": timestamp,
        "version": 1,
        "data": {"name": "search", "type": 9, "resolved": {"keyword": keyword}},
    }


def bot_message(world: World, message: MessageRecord, body: JsonObject) -> JsonObject:
    """Return a guild message of the bot as the platform answers its send."""
    where = message.conversation
    document: JsonObject = {
        "id": message.id,
        "channel_id": where.channel_id,
        "guild_id": where.guild_id,
        "content": message.text or "",
        "timestamp": message.time,
        "tts": False,
        "mention_everyone": False,
        "author": {"id": world.bot_id, "username": BOT_NAME, "avatar": "", "bot": True},
        "pinned": False,
        "type": 0,
        "flags": 0,
        "seq_in_channel": str(where.count),
    }
    shared: tuple[str, ...] = ("ark", "message_reference")
    document |= {name: body[name] for name in shared if name in body}
    if "embed" in body:
        document["embeds"] = [body["embed"]]
    if where.scene == "dms":
        document |= {"direct_message": True, "src_guild_id": where.source_guild_id}
    return document
