"""Forums: threads, posts, replies to posts, and the results of reviews.

Responsible for the payloads of events and answers; formatted text is in `rich_text`.
"""

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from .._names import on_demand
from .base import Aware, Body, Id, Model, OpenIntEnum, require
from .rich_text import RichSource, RichText, read_rich_text


class ForumItem(Model, frozen=True, kw_only=True):
    """The forum in which something happened, and its author."""

    guild_id: str = ""
    channel_id: Id
    author_id: str = ""


class ThreadInfo(Model, frozen=True, kw_only=True):
    """A thread. The platform sends its texts in several forms; `title` and `content` read all of them.

    Source: server-inter/channel/content/forum/get_thread
    """

    thread_id: Id
    wire_title: RichSource = msgspec.field(default="", name="title")
    wire_content: RichSource = msgspec.field(default="", name="content")
    date_time: Aware | None = None

    @property
    def title(self) -> RichText:
        """The title; `title.text` is the text alone."""
        return read_rich_text(self.wire_title)

    @property
    def content(self) -> RichText:
        """The content; `content.text` is the text alone."""
        return read_rich_text(self.wire_content)


class Thread(ForumItem, frozen=True, kw_only=True):
    """A thread in a forum channel.  Source: server-inter/channel/content/forum/model"""

    thread_info: ThreadInfo


class PostInfo(Model, frozen=True, kw_only=True):
    """A post in a thread."""

    thread_id: Id
    post_id: Id
    wire_content: RichSource = msgspec.field(default="", name="content")
    date_time: Aware | None = None

    @property
    def content(self) -> RichText:
        """The content; `content.text` is the text alone."""
        return read_rich_text(self.wire_content)


class Post(ForumItem, frozen=True, kw_only=True):
    """A post in a thread of a forum channel.  Source: server-inter/channel/content/forum/model"""

    post_info: PostInfo


class ReplyInfo(PostInfo, frozen=True, kw_only=True):
    """A reply to a post."""

    reply_id: Id


class ForumReply(ForumItem, frozen=True, kw_only=True):
    """A reply to a post in a thread.  Source: server-inter/channel/content/forum/model"""

    reply_info: ReplyInfo


class ForumAuditType(OpenIntEnum):
    """The kind of the reviewed publication."""

    THREAD = 1
    POST = 2
    REPLY = 3


class ForumAuditResult(ForumItem, frozen=True, kw_only=True):
    """The result of the review of a publication in a forum. `result`: 0 passed, 1 failed.

    `task_id` is the one from the answer to publishing a thread.

    Source: server-inter/channel/content/forum/model
    """

    type: ForumAuditType | None = None
    result: int | None = None
    thread_id: str = ""
    post_id: str = ""
    reply_id: str = ""
    err_msg: str = ""
    task_id: str = ""
    date_time: Aware | None = None

    @property
    def passed(self) -> bool:
        """True if the publication is visible."""
        return self.result == 0


class OpenForumEvent(ForumItem, frozen=True, kw_only=True):
    """Something happened in a forum; public bots get no content.

    Source: server-inter/channel/content/forum/open_forum
    """


class ThreadsPage(Model, frozen=True, kw_only=True):
    """Threads of a forum; `is_finish`: True if these are all. The platform documents no way to request more.

    Source: server-inter/channel/content/forum/get_threads_list
    """

    threads: tuple[Thread, ...] = ()
    is_finish: bool = False


class ForumTask(Model, frozen=True, kw_only=True):
    """A publication under review; the event FORUM_PUBLISH_AUDIT_RESULT reports the result with this `task_id`.

    Source: server-inter/channel/content/forum/put_thread
    """

    task_id: str = ""
    create_time: Aware | None = None


class ThreadFormat(OpenIntEnum):
    """The format of the content of a thread.  Source: server-inter/channel/content/forum/put_thread"""

    TEXT = 1
    HTML = 2
    MARKDOWN = 3
    JSON = 4


class CreateThreadBody(Body, frozen=True, kw_only=True):
    """Publishes a thread; with the format JSON the content is an encoded `RichText`.

    Raises: ConfigError if `title` or `content` is empty.
    Source: server-inter/channel/content/forum/put_thread
    """

    title: str
    content: str
    format: ThreadFormat

    def __post_init__(self) -> None:
        require(title=self.title, content=self.content)


class CreateCommentBody(Body, frozen=True, kw_only=True):
    """Comments on a thread; `thread_create_time` as in the thread, `image`: a URL.

    Raises: ConfigError if the author or `content` is empty.
    Source: easybot-qq, no page
    """

    thread_author: str
    content: str
    thread_create_time: str | UnsetType = UNSET
    image: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(thread_author=self.thread_author, content=self.content)


if not TYPE_CHECKING:  # type checkers still report a name that this module never had
    __getattr__ = on_demand(__name__, {}, renamed={"Reply": "ForumReply"})
