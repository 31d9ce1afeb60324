"""Intake and logic in different processes: events go into a sink here and are handled elsewhere."""

from .forwarder import Forwarder
from .queue import QueueSink

__all__ = ["Forwarder", "QueueSink"]
