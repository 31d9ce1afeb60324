"""Intake and logic in different processes: events go into a sink here, and are handled elsewhere.

Responsible for what the intake's process needs: `Forwarder` and `QueueSink`. Collaborators: `models.ingest` (what
crosses the processes), `Bot(sink=...)` and `Bot.handle`. It connects to nothing itself.
"""

from typing import TYPE_CHECKING

from .._names import on_demand
from .forwarder import Forwarder

if TYPE_CHECKING:
    from .queue import QueueSink

__all__ = ["Forwarder", "QueueSink"]

__getattr__ = on_demand(__name__, {"QueueSink": ".queue"})
