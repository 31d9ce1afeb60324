"""`Platform`: all parts of the simulated platform, connected.

Responsible for pushing events to the bot and for accepting its messages.
Collaborators: `state` (what the platform knows), `gateway` and `webhook` (the two ways to the bot), `exchanges`.
Does not listen on a socket: see `server`.
"""

import json
from dataclasses import dataclass
from random import Random

from . import wire
from .exchanges import Exchanges
from .explanations import Explanations
from .faults.documents import rule_document
from .gateway.service import GatewayService
from .state.audits import AuditService
from .state.bot import BotState
from .state.bounded import Bounded
from .state.budget import CallLimit, IdentifyBudget
from .state.clock import Clock
from .state.files import FileStore
from .state.group import GroupStates
from .state.guild import GuildStates
from .state.journal import Journal
from .state.media import MediaService
from .state.profiles import RIGHTS, Limits, Profile
from .state.quotas import QuotaState
from .state.rates import RateState
from .state.replies import ReplyWindows
from .state.streams import StreamStates
from .state.tokens import TokenService
from .state.world import BOT_NAME, Conversation, MessageRecord, Person, World
from .webhook import Webhook
from .wire import JsonObject, identity, is_number
from .wire.tables import Endpoint, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """The settings of a simulator. Times in seconds.

    `gateway_per_minute` and `gateway_burst` limit the calls for the gateway's address. `limits`: which
    limits on other calls and on active messages apply. `numeric_expiry`: True if `expires_in` is a number, not text.
    """

    app_id: str
    secret: str
    profile: Profile = "public"
    shards: int = 1
    total: int = 1000
    max_concurrency: int = 16
    identify_window: float = 5.0
    heartbeat_interval: float = 45.0
    gateway_per_minute: float = 2.0
    gateway_burst: int = 10
    seed: int = 0
    webhook: str | None = None
    limits: Limits = "slow"
    numeric_expiry: bool = False


_MAX_CLICKS = 5000

ACK_SECONDS = 5.0
"""Seconds after which the QQ client shows that a click failed."""


@dataclass(slots=True)
class Click:
    """A button press that the bot has to acknowledge."""

    event_id: str
    shown: MessageRecord
    delivered: bool = False
    settled: bool = False  # the bot reported that it is done with the event
    reported: bool = False  # as a violation


class Platform:
    """The QQ Bot platform for one bot."""

    def __init__(self, settings: PlatformSettings) -> None:
        self.settings = settings
        self.shards = settings.shards
        self.gateway_url = ""
        self.listening = False  # False: no bot can connect
        self.registered_domains: set[str] = set()
        self.clock = Clock()
        self.tables = tables()
        self.journal = Journal(self.clock)
        self.tokens = TokenService(self.clock, settings.app_id, settings.secret, numeric_expiry=settings.numeric_expiry)
        self.world = World(settings.app_id, self.clock, self.journal)
        self.reply_windows = ReplyWindows(self.clock, self._replied)
        self.rights = RIGHTS[settings.profile]
        self.quotas = QuotaState(self.clock, self.rights, settings.limits)
        self.rates = RateState(self.clock, settings.limits)
        self.files = FileStore(lambda: self.http_base)
        self.media = MediaService(self.clock, self.files)
        self.streams = StreamStates()
        self.audits = AuditService()
        self.exchanges = Exchanges()
        self.explanations = Explanations(self.world)
        self.guild_states = GuildStates(self.clock)
        self.group_states = GroupStates()
        self.bot_state = BotState()
        self.world.roles_of = self.roles_of
        self.clock.on_advance(self._publish_time)
        self.clicks: dict[str, Click] = Bounded(_MAX_CLICKS)
        self.bots: list[object] = []  # those that run in this process
        self.webhook = Webhook(settings.app_id, settings.secret, self.journal, settings.webhook)
        self.gateway_calls = CallLimit(self.clock, per_minute=settings.gateway_per_minute, burst=settings.gateway_burst)
        self.budget = IdentifyBudget(
            self.clock,
            total=settings.total,
            max_concurrency=settings.max_concurrency,
            window=settings.identify_window,
        )
        self.gateway = GatewayService(
            self.tables,
            self.tokens,
            self.budget,
            self.journal,
            user=self.bot_user,
            may_use_private=self.rights.private,
            heartbeat_interval=settings.heartbeat_interval,
            limit_shards=self._recommend,
            random=Random(settings.seed),
        )
        self.gateway.faults.on_change(lambda: self.journal.publish("faults", self.fault_rules))

    def may_call(self, endpoint: Endpoint) -> bool:
        """True if a bot of this profile may make the call."""
        return (self.rights.private or not endpoint.private) and (self.rights.invited or not endpoint.invited)

    @property
    def http_base(self) -> str:
        """The base URL of the HTTP API, without a path."""
        return self.gateway_url.replace("ws://", "http://").rpartition("/")[0]

    def bot_user(self) -> JsonObject:
        """Return the bot as READY shows it."""
        return {"id": self.world.bot_id, "username": BOT_NAME, "bot": True, "status": 1}

    def fault_rules(self) -> list[JsonObject]:
        """Return the fault rules that can still strike."""
        return [rule_document(rule) for rule in self.gateway.faults.rules]

    def settle_click(self, event_id: str) -> None:
        """Record that the bot is done with a click: from now on it is overdue without an acknowledgement."""
        click = next((each for each in reversed(self.clicks.values()) if each.event_id == event_id), None)
        if click is not None:
            click.settled = True

    def violations(self) -> list[str]:
        """Return how the bot broke the platform's rules, with the clicks that it did not acknowledge."""
        for click in self.clicks.values():
            overdue = click.settled or self.clock.now() - click.shown.at > ACK_SECONDS
            if overdue and click.delivered and click.shown.ack is None and not click.reported:
                click.reported = True
                self.journal.violation(f"not acknowledged: {click.shown.text}")
        return list(self.journal.violations)

    def roles_of(self, where: Conversation, person: Person) -> list[str]:
        """Return the ids of a person's roles in the guild of a conversation."""
        guild = self.world.find_guild(where.source_guild_id or where.guild_id)
        return list(self.guild_states.roles_of(guild, person)) if guild else []

    def _replied(self, message_id: str, replies: int) -> None:
        if (message := self.world.message(message_id)) is not None:
            message.replies = replies
            self.world.changed(message)

    def typing(self, where: Conversation, seconds: object) -> None:
        """Show on the page that the bot is typing, for this many seconds (5 if it is no number)."""
        value = {"scene": where.scene, "conversation": where.id, "seconds": seconds if is_number(seconds) else 5}
        self.journal.publish("typing", lambda: value)

    def _recommend(self, shards: int) -> None:
        self.shards = shards

    def push(self, kind: str, body: object, *, event_id: str | None = None, shard: int | None = None) -> "Push":
        """Push an event to the sessions that it belongs to, and to the webhook.

        Raises: ValueError if the body is not JSON.
        """
        event_id = event_id or identity.event_id(kind)
        text = wire.check(body)
        self.group_states.observe(kind, body)
        self.quotas.observe(kind, body)
        place = self.reply_windows.observe(kind, event_id, body)
        if place is not None:
            self.world.adopt(*place)
        self.world.observe(kind, body)
        receivers = self.gateway.deliver(json.dumps(kind)[1:-1], json.dumps(event_id)[1:-1], body, text, shard)
        return Push(event_id, receivers + self.webhook.push(kind, event_id, text))

    async def wait_receiver(self, body: object, timeout: float) -> None:
        """Return when a session or a webhook receives events like this one, or after `timeout` seconds."""
        if self.webhook.url is None:
            await self.gateway.wait_session(body, timeout)

    def quotas_document(self) -> list[JsonObject]:
        """Return how many active messages are left for each conversation."""
        return [
            {"scene": each.scene, "conversation": each.id, **self.quotas.document(each)} for each in self.world.all()
        ]

    def _publish_time(self) -> None:
        self.journal.publish("clock", self.clock.document)
        self.journal.publish("quotas", self.quotas_document)

    def take(self, message: MessageRecord, reference: str) -> None:
        """Add a message of the bot to the chat and to the exchanges that it belongs to."""
        self.world.add(message)
        if not reference:
            self.journal.publish("quotas", self.quotas_document)
        self.exchanges.sent(message, reference)

    def bot_message(self, conversation: Conversation, message_id: str) -> MessageRecord:
        """Return a new, empty message of the bot."""
        return MessageRecord(message_id, conversation, "bot", BOT_NAME, self.clock.now(), self.clock.timestamp())


@dataclass(frozen=True, slots=True)
class Push:
    """An event that was pushed, and how many sessions and webhook addresses received it."""

    event_id: str
    receivers: int
