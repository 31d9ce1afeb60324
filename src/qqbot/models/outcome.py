"""How the bot is done with an event, as handlers, webhooks and brokers report it."""

from typing import Literal

Outcome = Literal["handled", "failed", "unwanted", "waiting", "consumed"]
"""How the bot is done with an event.

`waiting`: its handler is suspended in `wait_for`; `consumed`: the handler that took it in `wait_for` waits again, or
has ended.
"""
