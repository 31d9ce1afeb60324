"""Forums: threads, the posts in them, the replies to posts, and what the review said.

Owns the payloads of the events and of the look-ups; formatted text is in `rich_text`.
"""

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from .._names import on_demand
from .base import Aware, Body, Id, Model, OpenIntEnum, require
from .rich_text import RichSource, RichText, read_rich_text


class ForumItem(Model, frozen=True, kw_only=True):
    """Where in a forum something happened, and who did it."""

    guild_id: str = ""
    channel_id: Id
    author_id: str = ""


class ThreadInfo(Model, frozen=True, kw_only=True):
    """A thread. The platform writes its texts in several forms: `title` and `content` read any of them.

    Source: server-inter/channel/content/forum/get_thread
    """

    thread_id: Id
    wire_title: RichSource = msgspec.field(default="", name="title")
    wire_content: RichSource = msgspec.field(default="", name="content")
    date_time: Aware | None = None

    @property
    def title(self) -> RichText:
        """The title; `title.text` is the words alone."""
        return read_rich_text(self.wire_title)

    @property
    def content(self) -> RichText:
        """The content; `content.text` is the words alone."""
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
        """The content; `content.text` is the words alone."""
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
    """What was reviewed."""

    THREAD = 1
    POST = 2
    REPLY = 3


class ForumAuditResult(ForumItem, frozen=True, kw_only=True):
    """What the review of something that was published in a forum said. `result`: 0 passed, 1 failed.

    `task_id` is what publishing a thread answered.

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
        """Whether it may be seen."""
        return self.result == 0


class OpenForumEvent(ForumItem, frozen=True, kw_only=True):
    """Something happened in a forum, without its content: what public bots are told.

    Source: server-inter/channel/content/forum/open_forum
    """


class ThreadsPage(Model, frozen=True, kw_only=True):
    """Threads of a forum; `is_finish`: whether these are all. The platform documents no way to ask for more.

    Source: server-inter/channel/content/forum/get_threads_list
    """

    threads: tuple[Thread, ...] = ()
    is_finish: bool = False


class ForumTask(Model, frozen=True, kw_only=True):
    """Something that goes through review; FORUM_PUBLISH_AUDIT_RESULT says under the same `task_id` how it ended.

    Source: server-inter/channel/content/forum/put_thread
    """

    task_id: str = ""
    create_time: Aware | None = None


class ThreadFormat(OpenIntEnum):
    """How the content of a thread is written.  Source: server-inter/channel/content/forum/put_thread"""

    TEXT = 1
    HTML = 2
    MARKDOWN = 3
    JSON = 4


class CreateThreadBody(Body, frozen=True, kw_only=True):
    """Publishes a thread; in JSON the content is the text of a `RichText`.

    Raises: ConfigError when `title` or `content` is empty.
    Source: server-inter/channel/content/forum/put_thread
    """

    title: str
    content: str
    format: ThreadFormat

    def __post_init__(self) -> None:
        require(title=self.title, content=self.content)


class CreateCommentBody(Body, frozen=True, kw_only=True):
    """Comments on a thread; `thread_create_time` as the thread has it, `image`: a URL.

    Raises: ConfigError when the author or `content` is empty.
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
