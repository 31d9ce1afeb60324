"""What the bot keeps at the platform for itself: its menu, panels, image library, and webhook sessions.

Owns the state alone.
"""

from dataclasses import dataclass, field

from ..wire import JsonObject


@dataclass(slots=True)
class BotState:
    """What one bot keeps, by id; `uploads` are images that were announced."""

    menu: JsonObject | None = None
    menu_version: int = 0
    panels: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    images: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    uploads: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    webhook_sessions: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
