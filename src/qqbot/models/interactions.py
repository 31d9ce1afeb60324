"""Clicks on buttons and in menus.

Owns the payload; acknowledging a click is in `api.resources`.
"""

from .base import Aware, Body, Id, Model, OpenIntEnum
from .messages import MessageScene
from .targets import Scene, Target


class InteractionType(OpenIntEnum):
    """What was clicked. Only BUTTON and QUICK_MENU wait for an acknowledgement.

    Source: autogen/event/interaction_create
    """

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
    """Which right was granted or withdrawn. `scope`: "c2c_push" or "group_push"."""

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
    """What a click carries."""

    type: int = 0
    resolved: InteractionResolved = InteractionResolved()
    name: str = ""


class Interaction(Model, frozen=True, kw_only=True):
    """A click. `id` is what an acknowledgement names; `scene` is "c2c", "group" or "guild".

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
        """The id of the button, '' when it was none."""
        return self.data.resolved.button_id

    @property
    def button_data(self) -> str:
        """The data of the button, '' when it was none."""
        return self.data.resolved.button_data

    @property
    def conversation(self) -> Target | None:
        """Where the click happened; None where the platform does not say."""
        if self.group_openid:
            return Target(Scene.GROUP, self.group_openid)
        if self.user_openid:
            return Target(Scene.C2C, self.user_openid)
        return Target(Scene.CHANNEL, self.channel_id) if self.channel_id else None


class AckBody(Body, frozen=True, kw_only=True):
    """Acknowledges an interaction.  Source: autogen/api/interactions_interaction_id.put"""

    code: int
