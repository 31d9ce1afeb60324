"""Subscribed messages: which templates a user or a group lets the bot send.

Owns the payload of the event.
"""

from typing import TYPE_CHECKING

from .._names import on_demand
from .base import Aware, Model, OpenIntEnum


class SubscribeOp(OpenIntEnum):
    """What was decided."""

    ALLOW = 1
    REFUSE = 2


class SubscribeMsgTemplateResult(Model, frozen=True, kw_only=True):
    """What was decided on one template: the platform's `template_id`, or the bot's own `custom_template_id`.

    `subscribe_id` is what a send names.
    """

    template_id: int = 0
    custom_template_id: str = ""
    op: SubscribeOp | None = None
    subscribe_id: str = ""
    subscribe_ts: Aware | None = None
    update_ts: Aware | None = None


class SubscriptionResults(Model, frozen=True, kw_only=True):
    """A user, alone or in a group, allowed or refused messages by template.

    Source: autogen/event/subscribe_message_status
    """

    result: tuple[SubscribeMsgTemplateResult, ...] = ()
    group_openid: str = ""
    openid: str = ""


if not TYPE_CHECKING:  # type checkers still report a name that this module never had
    __getattr__ = on_demand(__name__, {}, renamed={"SubscribeMessageStatus": "SubscriptionResults"})
