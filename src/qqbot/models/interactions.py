"""Interactions: clicks on buttons and in menus, and other actions of users that are not messages.

Responsible for the payload, its kinds, and the bodies of answers; `api.resources` sends them.
"""

from enum import IntEnum

from msgspec import Struct

from .base import Aware, Body, Id, Model, OpenIntEnum
from .messages import MessageScene
from .targets import Scene, Target


class InteractionType(OpenIntEnum):
    """The kind of an interaction. Only BUTTON and QUICK_MENU wait for an acknowledgement.

    Source: autogen/event/interaction_create; botgo dto/interaction.go for PING and COMMAND
    """

    PING = 1
    COMMAND = 2
    BUTTON = 11
    QUICK_MENU = 12
    FEEDBACK = 13
    CLEAR_SESSION = 14
    STORY = 15
    SWITCH_MODEL = 16
    USER_AUTHORIZE = 18
    GROUP_AUTHORIZE = 19
    GROUP_AUTHORIZE_STATUS = 20
    CONFIG_QUERY = 2001
    CONFIG_UPDATE = 2002


class AuthorizeData(Model, frozen=True, kw_only=True):
    """The right that was granted or withdrawn. `scope`: "c2c_push" or "group_push"."""

    opt_scene: str = ""
    scope: str = ""


class InteractionResolved(Model, frozen=True, kw_only=True):
    """The details of a click; `user_id` in guilds only."""

    button_data: str = ""
    button_id: str = ""
    user_id: str = ""
    feature_id: str = ""
    message_id: str = ""
    feedback_opt: str = ""
    checked: int = 0
    action: str = ""
    message_scene: MessageScene = MessageScene()
    authorize_data: AuthorizeData | None = None
    keyword: str = ""
    request: str = ""
    member_nick: str = ""


class InteractionData(Model, frozen=True, kw_only=True):
    """The data of a click."""

    type: int = 0
    resolved: InteractionResolved = InteractionResolved()
    name: str = ""


CHAT_SEARCH = 9
"""The `type` of `InteractionData` that makes a command a search.  Source: botgo dto/interaction.go"""


class ButtonClick(Struct, frozen=True):
    """A user clicked a callback button. `user_id` in guilds only, `message_id` if the platform sends it."""

    button_id: str
    button_data: str
    message_id: str
    user_id: str


class MenuClick(Struct, frozen=True):
    """A user chose an entry of the quick menu in C2C."""

    feature_id: str


class Feedback(Struct, frozen=True):
    """A user rated an answer. `opt`: "LIKE" or "UNLIKE"; `checked`: False if the rating was withdrawn."""

    opt: str
    message_id: str
    checked: bool


class SessionCleared(Struct, frozen=True):
    """A user cleared the conversation: forget the earlier messages."""


class StoryStep(Struct, frozen=True):
    """A user entered or left a story. `action`: "ENTER_STORY", "QUIT_STORY", ..."""

    action: str


class ModelSwitch(Struct, frozen=True):
    """A user chose another model. `action` is the platform's word for it."""

    action: str


class Authorization(Struct, frozen=True):
    """A right was granted or withdrawn. `scope`: "c2c_push" or "group_push"; `opt_scene`: its scene."""

    scope: str
    opt_scene: str


class Search(Struct, frozen=True):
    """A user searches with the bot; `interactions.respond` answers with a `SearchResponse`. Experimental."""

    keyword: str


class OtherInteraction(Struct, frozen=True):
    """An interaction without a class of its own; see `data` of the event."""

    type: InteractionType


InteractionDetail = (
    ButtonClick
    | MenuClick
    | Feedback
    | SessionCleared
    | StoryStep
    | ModelSwitch
    | Authorization
    | Search
    | OtherInteraction
)
"""What happened, by kind: `match event.detail: case ButtonClick(button_data="vote:yes"): ...`"""


class Interaction(Model, frozen=True, kw_only=True):
    """A click. An acknowledgement names its `id`; `scene` is "c2c", "group" or "guild".

    Source: autogen/event/interaction_create
    """

    id: Id
    type: InteractionType
    application_id: str = ""
    scene: str = ""
    chat_type: int | None = None
    timestamp: Aware | None = None
    guild_id: str = ""
    channel_id: str = ""
    user_openid: str = ""
    group_openid: str = ""
    group_member_openid: str = ""
    data: InteractionData = InteractionData()
    version: int = 0

    @property
    def button_id(self) -> str:
        """The id of the button; '' if it was not a button."""
        return self.data.resolved.button_id

    @property
    def button_data(self) -> str:
        """The data of the button; '' if it was not a button."""
        return self.data.resolved.button_data

    @property
    def awaits_ack(self) -> bool:
        """True if the user sees that it waits for an acknowledgement."""
        return self.type in (InteractionType.BUTTON, InteractionType.QUICK_MENU)

    @property
    def detail(self) -> InteractionDetail:  # noqa: PLR0911 - one row for each kind
        """What happened, by kind."""
        found = self.data.resolved
        match self.type:
            case InteractionType.BUTTON:
                return ButtonClick(found.button_id, found.button_data, found.message_id, found.user_id)
            case InteractionType.QUICK_MENU:
                return MenuClick(found.feature_id)
            case InteractionType.FEEDBACK:
                return Feedback(found.feedback_opt, found.message_id, bool(found.checked))
            case InteractionType.CLEAR_SESSION:
                return SessionCleared()
            case InteractionType.STORY:
                return StoryStep(found.action)
            case InteractionType.SWITCH_MODEL:
                return ModelSwitch(found.action)
            case (
                InteractionType.USER_AUTHORIZE
                | InteractionType.GROUP_AUTHORIZE
                | InteractionType.GROUP_AUTHORIZE_STATUS
            ):
                right = found.authorize_data or AuthorizeData()
                return Authorization(right.scope, right.opt_scene)
            case InteractionType.COMMAND if self.data.type == CHAT_SEARCH:
                return Search(found.keyword)
            case other:
                return OtherInteraction(other)

    @property
    def conversation(self) -> Target | None:
        """The conversation of the click; None if the platform does not name it."""
        if self.group_openid:
            return Target(Scene.GROUP, self.group_openid)
        if self.user_openid:
            return Target(Scene.C2C, self.user_openid)
        return Target(Scene.CHANNEL, self.channel_id) if self.channel_id else None


class AckBody(Body, frozen=True, kw_only=True):
    """Acknowledges an interaction.  Source: autogen/api/interactions_interaction_id.put"""

    code: int


class SearchLayoutType(IntEnum):
    """The layout of search results.  Source: botgo dto/interaction_search.go"""

    IMAGE_TEXT = 0


class SearchActionType(IntEnum):
    """The action of a click on a search result.  Source: botgo dto/interaction_search.go"""

    SEND_ARK = 0


class SearchRecord(Body, frozen=True, kw_only=True):
    """One search result. `cover`: the URL of its picture; `tips`: small text next to the title."""

    cover: str
    title: str
    tips: str
    url: str


class SearchLayout(
    Body,
    frozen=True,
    kw_only=True,
    rename={
        "layout_type": "LayoutType",
        "action_type": "ActionType",
        "title": "Title",
        "records": "Records",
    },
):
    """One block of search results."""

    title: str
    records: tuple[SearchRecord, ...]
    layout_type: SearchLayoutType = SearchLayoutType.IMAGE_TEXT
    action_type: SearchActionType = SearchActionType.SEND_ARK


class SearchResponse(Body, frozen=True, kw_only=True):
    """The answer to a `Search`. Experimental: seen in one source only.  Source: botgo dto/interaction_search.go"""

    layouts: tuple[SearchLayout, ...]
