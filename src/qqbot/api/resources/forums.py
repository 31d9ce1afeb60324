"""Threads in forum channels. Private bots only."""

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from ...models.base import Model
from ...models.codec import decoder, encode
from ...models.forums import CreateCommentBody, CreateThreadBody, ForumTask, Thread, ThreadFormat, ThreadsPage
from ...models.rich_text import RichText
from ..route import Route, nothing
from .base import Resource


class _WrappedThread(Model, frozen=True, kw_only=True):
    thread: Thread


_wrapped_thread = decoder(_WrappedThread)


def _thread(data: bytes) -> Thread:
    return _wrapped_thread(data).thread


LIST_THREADS = Route("list_threads", "GET", "/channels/{channel_id}/threads", ThreadsPage)
GET_THREAD = Route("get_thread", "GET", "/channels/{channel_id}/threads/{thread_id}", _thread)
CREATE_THREAD = Route("create_thread", "PUT", "/channels/{channel_id}/threads", ForumTask, repeat="never")
DELETE_THREAD = Route("delete_thread", "DELETE", "/channels/{channel_id}/threads/{thread_id}", nothing)
CREATE_THREAD_COMMENT = Route(
    "create_thread_comment", "POST", "/channels/{channel_id}/threads/{thread_id}/comment", ForumTask
)


class Forums(Resource):
    """Threads. A publication is reviewed first; the event FORUM_PUBLISH_AUDIT_RESULT reports the result."""

    async def threads(self, channel_id: str, *, timeout: float | None = None) -> ThreadsPage:
        """Return the threads of a forum, as many as the platform returns.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/forum/get_threads_list
        """
        return await self._call(LIST_THREADS, channel_id, timeout=timeout)

    async def iter_threads(self, channel_id: str, *, timeout: float | None = None) -> AsyncIterator[Thread]:
        """Yield the threads that the platform returns; it documents no way to request more.

        Raises: as `threads`.
        """
        for thread in (await self.threads(channel_id, timeout=timeout)).threads:
            yield thread

    async def thread(self, channel_id: str, thread_id: str, *, timeout: float | None = None) -> Thread:
        """Return one thread.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/forum/get_thread
        """
        return await self._call(GET_THREAD, channel_id, thread_id, timeout=timeout)

    async def create_thread(
        self,
        channel_id: str,
        title: str,
        content: str | RichText,
        form: ThreadFormat = ThreadFormat.TEXT,
        *,
        timeout: float | None = None,
    ) -> ForumTask:
        """Publish a thread; a `RichText` is sent as JSON, regardless of `form`.

        Raises: PermissionMissing, NotFound, ContentRejected, QuotaExceeded; ConfigError for an empty title or
        content.
        Source: server-inter/channel/content/forum/put_thread
        """
        if isinstance(content, RichText):
            content, form = encode(content).decode(), ThreadFormat.JSON
        body = CreateThreadBody(title=title, content=content, format=form)
        return await self._call(CREATE_THREAD, channel_id, body=body, timeout=timeout)

    async def delete_thread(self, channel_id: str, thread_id: str, *, timeout: float | None = None) -> None:
        """Delete a thread.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/forum/delete_thread
        """
        await self._call(DELETE_THREAD, channel_id, thread_id, timeout=timeout)

    async def comment(
        self,
        channel_id: str,
        thread_id: str,
        thread_author: str,
        content: str,
        *,
        thread_create_time: str | UnsetType = UNSET,
        image: str | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> ForumTask:
        """Comment on a thread of `thread_author`. Experimental: seen in one source only.

        Raises: PermissionMissing, NotFound, ContentRejected; ConfigError for an empty author or content.
        Source: easybot-qq, no page
        """
        body = CreateCommentBody(
            thread_author=thread_author, content=content, thread_create_time=thread_create_time, image=image
        )
        return await self._call(CREATE_THREAD_COMMENT, channel_id, thread_id, body=body, timeout=timeout)
