"""Intake and logic in different processes: events go into a sink here, and are handled elsewhere.

Responsible for what the intake's process needs: `Forwarder` and `QueueSink`. Collaborators: `models.ingest` (what
crosses the processes), `Bot(sink=...)` and `Bot.handle`. It connects to nothing itself.
"""

from .forwarder import Forwarder
from .queue import QueueSink

__all__ = ["Forwarder", "QueueSink"]
