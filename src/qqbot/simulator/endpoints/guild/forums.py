"""Endpoints of threads in forum channels."""

from ... import wire
from ...platform import Platform
from ...state.world import Conversation
from ...wire import JsonObject, identity, is_integer, object_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_channel

_JSON = 4


def list_threads(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/forum/get_threads_list."""
    threads = platform.guild_states.channel(find_channel(platform, call)).threads
    return {"threads": list(threads.values()), "is_finish": 1}


def get_thread(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/forum/get_thread."""
    return {"thread": _find(platform, call)}


def _find(platform: Platform, call: EndpointCall) -> JsonObject:
    threads = platform.guild_states.channel(find_channel(platform, call)).threads
    if (found := threads.get(call.params["thread_id"])) is None:
        raise Refusal(503012, "the thread is missing or deleted")
    return found


def create_thread(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/forum/put_thread; fires FORUM_THREAD_CREATE,
    FORUM_PUBLISH_AUDIT_RESULT.
    """
    channel = find_channel(platform, call)
    thread = _thread(platform, channel, text_of(call.body, "title"), _content(call))
    info = object_of(thread, "thread_info")
    platform.guild_states.channel(channel).threads[text_of(info, "thread_id")] = thread
    platform.push("FORUM_THREAD_CREATE", thread)
    return _push_audit_result(platform, channel, {"type": 1, "thread_id": info["thread_id"]})


def _content(call: EndpointCall) -> str:
    """Return the content as JSON text with paragraphs, the form of a look-up."""
    content, form = text_of(call.body, "content"), call.body.get("format")
    if not text_of(call.body, "title"):
        raise Refusal(503005, "the title is empty")
    if not content:
        raise Refusal(503006, "the content is empty")
    if not is_integer(form) or not 1 <= form <= _JSON:
        raise Refusal(503015, "there is no such format")
    if form != _JSON:
        return wire.dump({"paragraphs": [{"elems": [{"type": 1, "text": {"text": content}}]}]})
    if not _is_rich_text(content):
        raise Refusal(503014, "the JSON content cannot be parsed")
    return content


def _is_rich_text(content: str) -> bool:
    try:
        return "paragraphs" in wire.parse_object(content)
    except ValueError:
        return False


def _thread(platform: Platform, channel: Conversation, title: str, content: str) -> JsonObject:
    thread_id = identity.snowflake("thread", identity.trace_id())
    time = platform.clock.timestamp()
    return {
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "author_id": platform.world.bot_id,
        "thread_info": {"thread_id": thread_id, "title": title, "content": content, "date_time": time},
    }


def _push_audit_result(platform: Platform, channel: Conversation, subject: JsonObject) -> JsonObject:
    task_id = identity.trace_id()
    result: JsonObject = {
        "task_id": task_id,
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "author_id": platform.world.bot_id,
        "result": 0,
        "err_msg": "",
        **subject,
    }
    platform.push("FORUM_PUBLISH_AUDIT_RESULT", result)
    return {"task_id": task_id, "create_time": str(int(platform.clock.date().timestamp()))}


def delete_thread(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/forum/delete_thread; fires FORUM_THREAD_DELETE."""
    thread = _find(platform, call)
    del platform.guild_states.channel(find_channel(platform, call)).threads[call.params["thread_id"]]
    platform.push("FORUM_THREAD_DELETE", thread)
    return None


def create_thread_comment(platform: Platform, call: EndpointCall) -> object:
    """Source: easybot-qq."""
    thread = _find(platform, call)
    if text_of(call.body, "thread_author") != thread["author_id"]:
        raise Refusal(503010, "the author did not write this thread")
    if not text_of(call.body, "content"):
        raise Refusal(503006, "the content is empty")
    post_id = identity.snowflake("post", identity.trace_id())
    subject: JsonObject = {"type": 2, "thread_id": call.params["thread_id"], "post_id": post_id}
    return _push_audit_result(platform, find_channel(platform, call), subject)
