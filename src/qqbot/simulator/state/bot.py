"""Data that the platform stores for the bot itself: menu, panels, image library and webhook sessions.

Responsible for the state only. Collaborators: the modules of `endpoints.bot` read and change it.
"""

from dataclasses import dataclass, field

from ..wire import JsonObject
from .bounded import Bounded
from .uploads import MAX_UNFINISHED

_MAX_SESSIONS = 1000


@dataclass(slots=True)
class BotState:
    """Stored data of one bot; each mapping is by id. `uploads`: images that were announced and not completed."""

    menu: JsonObject | None = None
    menu_version: int = 0
    panels: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    images: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    uploads: dict[str, JsonObject] = field(default_factory=lambda: Bounded[str, JsonObject](MAX_UNFINISHED))
    webhook_sessions: dict[str, JsonObject] = field(default_factory=lambda: Bounded[str, JsonObject](_MAX_SESSIONS))
