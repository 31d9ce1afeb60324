"""The outcome of an event, as handlers, webhooks and brokers report it."""

from typing import Literal

Outcome = Literal["handled", "failed", "unwanted", "waiting", "consumed"]
"""The outcome of an event.

`unwanted`: no handler wants it. `waiting`: its handler is suspended in `wait_for`. `consumed`: the handler that
received it from `wait_for` waits again, or has ended.
"""
