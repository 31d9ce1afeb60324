"""Subscription messages: the templates that a user or a group allows the bot to send."""

from typing import TYPE_CHECKING

from .._names import on_demand
from .base import Aware, Model, OpenIntEnum


class SubscribeOp(OpenIntEnum):
    """The decision on a template."""

    ALLOW = 1
    REFUSE = 2


class SubscribeMsgTemplateResult(Model, frozen=True, kw_only=True):
    """The decision on one template: the platform's `template_id`, or the bot's own `custom_template_id`.

    `subscribe_id` is the value to send the message with.
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
