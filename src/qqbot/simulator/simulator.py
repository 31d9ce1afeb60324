"""`Simulator`: the public class, for tests and for the command `qqbot simulate`.

Responsible for start and stop, and for the names that users see.
Collaborators: `platform` (what the platform does), `people` (chats and members), `server` (HTTP and websockets).
"""

import asyncio
import os
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, TypeVar, runtime_checkable

from ..config import Credentials, Endpoints
from .actions import TIMEOUT, Actions
from .asgi import AsgiApp, serving
from .control import archive
from .control.commands import Commands
from .faults.rules import Faults
from .gateway.connection import ClientConnection
from .gateway.service import Identify, ResumeRequest
from .page.commands import PageCommands
from .people import BotReply, Chat, ChatMember, GuildChat, Transcript
from .platform import Platform, PlatformSettings
from .report import report
from .server import HOST, Server
from .state.audits import AuditService
from .state.clock import Clock
from .state.journal import CallRecord, FrameRecord
from .state.profiles import Limits, Profile
from .state.uploads import UploadState
from .state.world import Conversation, Scene
from .webhook import Webhook
from .wire import JsonObject


class Settles(Protocol):
    """What `Simulator.run_asgi` requires of a bot."""

    def on_settled(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        """Call `callback` with event id and outcome; return a function that stops this."""
        ...


class Servable(Settles, Protocol):
    """What `Simulator.run` requires of a bot."""

    def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Callable[[], float] | None = None,
    ) -> AbstractAsyncContextManager[object]:
        """Serve events while the body runs."""
        ...

    async def ready(self) -> None:
        """Return when every shard is ready."""
        ...


class Simulated(Protocol):
    """What reports the errors of a bot, and lets its timeouts follow the simulator's clock."""

    def on_failed(self, callback: Callable[[str, str, Exception], None]) -> Callable[[], None]:
        """Call `callback` with event id, handler and error; return a function that stops this."""
        ...

    def advance_timeouts(self, seconds: float) -> list[str]:
        """Let timeouts end `seconds` earlier; return the ids of the events whose handlers go on."""
        ...


@runtime_checkable
class KnowsSimulators(Protocol):
    """A bot that reports its errors and has timeouts."""

    def __simulated__(self) -> Simulated:
        """Return what a simulator calls."""
        ...


@dataclass(slots=True, eq=False)
class _Expected:
    """One open `expect_error`."""

    kind: type[Exception]
    errors: list[Exception] = field(default_factory=list[Exception])


_MAX_ERRORS = 100
"""Errors that are kept: each holds the frames of its traceback."""

B = TypeVar("B", bound=Servable)


class Simulator:
    """The QQ Bot platform on 127.0.0.1, for one bot, while it is entered or runs a bot.

    `port`: 0 for any free one. `profile`: `private` bots may ask for GUILD_MESSAGES and FORUMS_EVENT, recall in
    channels, list members, change channels and use forums; `uncertified` ones have smaller active quotas, and
    neither Markdown in guilds nor the interfaces that are granted on request. `shards`, `total` and
    `max_concurrency` are what /gateway/bot answers; budget and pacing are enforced, `identify_window` seconds wide.
    `heartbeat_interval` in seconds. `gateway_burst`: calls for the gateway's address before the limit of two
    a minute applies. `limits` on other calls and on active messages: `slow` applies those of a minute and a day, `all`
    also those of a second, which a test at full speed exceeds at once, `none` none.
    `numeric_expiry`: `expires_in` of a token is a number; the platform mostly sends text. `seed` of the random
    numbers of faults with a chance; None: a random seed. `webhook`: the address of a bot that events are also pushed
    to.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        app_id: str = "102000001",
        secret: str | None = None,
        profile: Profile = "public",
        shards: int = 1,
        total: int = 1000,
        max_concurrency: int = 16,
        identify_window: float = 5.0,
        heartbeat_interval: float = 45.0,
        gateway_burst: int = 10,
        seed: int | None = None,
        webhook: str | None = None,
        limits: Limits = "slow",
        numeric_expiry: bool = False,
    ) -> None:
        settings = PlatformSettings(
            app_id=app_id,
            secret=secret or secrets.token_urlsafe(24),
            profile=profile,
            shards=shards,
            total=total,
            max_concurrency=max_concurrency,
            identify_window=identify_window,
            heartbeat_interval=heartbeat_interval,
            gateway_burst=gateway_burst,
            seed=secrets.randbelow(1 << 32) if seed is None else seed,
            webhook=webhook,
            limits=limits,
            numeric_expiry=numeric_expiry,
        )
        self._asked_port = port
        self._port = 0
        self._entered = 0  # how many `async with` are open: the last one to exit stops the server
        self._expected: list[_Expected] = []  # the open `expect_error`, outermost first
        self._unexpected: deque[tuple[str, Exception]] = deque(maxlen=_MAX_ERRORS)  # raised outside of them
        self._turn = asyncio.Lock()  # start and stop wait for each other
        self._platform = Platform(settings)
        self._platform.clock.await_on_advance(self._advance_timeouts)
        self._actions = Actions(self._platform)
        self._commands = Commands(self._platform, self._actions)
        self.control_token = secrets.token_urlsafe(24)
        page = PageCommands(self._platform, self._actions, self._commands)
        self._server = Server(self._platform, self._commands, page, self.control_token)
        for name in ("Alice", "Bob"):
            self.group("test").member(name)
            self.user(name)

    async def __aenter__(self) -> Self:
        async with self._turn:
            if not self._server.listening:
                self._port = await self._server.start(self._asked_port)
            self._entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = max(self._entered - 1, 0)
        async with self._turn:
            if not self._entered:  # another task may have entered while this one waited for the lock
                await self._server.stop()

    # Addresses and credentials

    @property
    def api_base(self) -> str:
        """The base URL of all API calls."""
        return f"http://{HOST}:{self._port}"

    @property
    def token_url(self) -> str:
        """The URL of the token endpoint."""
        return f"{self.api_base}/app/getAppAccessToken"

    @property
    def url(self) -> str:
        """The URL of the page, with the control token of this run."""
        return f"{self.api_base}/#{self.control_token}"

    @property
    def app_id(self) -> str:
        """The bot's AppID."""
        return self._platform.settings.app_id

    @property
    def secret(self) -> str:
        """The bot's AppSecret."""
        return self._platform.settings.secret

    @property
    def seed(self) -> int:
        """The seed of faults with a chance; another simulator with this seed draws the same numbers."""
        return self._platform.settings.seed

    @property
    def credentials(self) -> Credentials:
        """AppID and AppSecret."""
        return Credentials(self.app_id, self.secret)

    @property
    def endpoints(self) -> Endpoints:
        """Base URL and token URL."""
        return Endpoints(self.api_base, self.token_url)

    @asynccontextmanager
    async def run(self, bot: B) -> AsyncGenerator[B, None]:
        """Serve a bot here; the body starts when all its shards are ready. Also enters the simulator.

        While it runs, `say` and `click` return as soon as the bot is done with the event.
        """
        async with (
            self,
            bot.serve(credentials=self.credentials, endpoints=self.endpoints, clock=self.clock.now),
        ):
            with self._reported_by(bot):
                await bot.ready()
                yield bot

    @asynccontextmanager
    async def run_asgi(self, app: AsgiApp, bot: Settles, *, path: str = "/") -> AsyncGenerator[str, None]:
        """Serve an ASGI application with its lifespan, and push events to the webhook of `bot` at `path`.

        The environment points at this simulator meanwhile (QQBOT_APP_ID, QQBOT_SECRET, QQBOT_API_BASE,
        QQBOT_TOKEN_URL), for a bot that the lifespan serves. Returns the base URL of the application.
        Raises: what the lifespan raises; RuntimeError if its startup fails.
        """
        names = ("QQBOT_APP_ID", "QQBOT_SECRET", "QQBOT_API_BASE", "QQBOT_TOKEN_URL")
        before, url = {name: os.environ.get(name) for name in names}, self.webhook.url
        async with self:
            os.environ.update(zip(names, (self.app_id, self.secret, self.api_base, self.token_url), strict=True))
            try:
                async with serving(app) as base:
                    self.webhook.url = f"{base}/{path.lstrip('/')}"
                    self.webhook.prepare()
                    with self._reported_by(bot):
                        yield base
            finally:
                self.webhook.url = url
                for name, value in before.items():
                    os.environ.pop(name, None)
                    if value is not None:
                        os.environ[name] = value

    @contextmanager
    def _reported_by(self, bot: Settles) -> Generator[None, None, None]:
        """Receive what a bot reports while the body runs."""
        exchanges, bots = self._platform.exchanges, self._platform.bots
        with ExitStack() as stack:
            stack.callback(bot.on_settled(self._settled))
            if isinstance(bot, KnowsSimulators):
                stack.callback(bot.__simulated__().on_failed(self._failed))
            exchanges.self_reporting += 1
            bots.append(bot)
            try:
                yield
            finally:
                exchanges.self_reporting -= 1
                bots.remove(bot)

    async def _advance_timeouts(self, step: float) -> None:
        """Let the timeouts of the bots pass, and wait until the handlers that go on are done."""
        bots = [bot.__simulated__() for bot in self._platform.bots if isinstance(bot, KnowsSimulators)]
        await self._platform.exchanges.wait_settled(
            [each for bot in bots for each in bot.advance_timeouts(step)], TIMEOUT
        )

    def _settled(self, event_id: str, outcome: str) -> None:
        self._platform.explanations.settled(event_id, outcome)
        if event_id.startswith("INTERACTION_CREATE") and outcome in ("handled", "failed", "unwanted"):
            self._platform.settle_click(event_id)
        self._platform.exchanges.settle(event_id, outcome)

    def _failed(self, event_id: str, handler: str, error: Exception) -> None:
        for expected in reversed(self._expected):
            if isinstance(error, expected.kind):
                expected.errors.append(error)
                break
        else:
            self._unexpected.append((handler, error))
        self._platform.explanations.failed(event_id, handler, error)

    # Chats and members

    def group(self, name: str, *, all_messages: bool | None = None, mention_tag: bool | None = None) -> Chat:
        """Return the group of this name; a new name creates it.

        `all_messages`: whether its owner lets the bot see all messages; then a mention comes as GROUP_MESSAGE_CREATE
        too. `mention_tag`: whether the tag of the mention, `<@member_openid>`, stays in the content; the platform does
        either. None keeps what the group has, False at first.
        """
        group = self._platform.world.group(name)
        self._platform.world.set_delivery(group, all_messages=all_messages, mention_tag=mention_tag)
        return self._place(group)

    def guild(self, name: str = "guild") -> GuildChat:
        """Return the guild of this name; a new name creates it."""
        return GuildChat(self._platform.world.guild(name), self._actions)

    def channel(self, name: str, *, guild: str = "guild") -> Chat:
        """Return the channel of this name in a guild; a new name creates it."""
        return self._place(self._platform.world.channel(name, guild))

    def user(self, name: str) -> ChatMember:
        """Return the friend of this name, in the C2C chat; a new name becomes a friend."""
        return self._talker(self._platform.world.user(name), name)

    def dms(self, name: str, *, guild: str = "guild") -> ChatMember:
        """Return the guild member of this name, in the private chat with the bot."""
        return self._talker(self._platform.world.dms(name, guild), name)

    def _place(self, conversation: Conversation) -> Chat:
        return Chat(conversation, self._platform.world, self._actions)

    def _talker(self, conversation: Conversation, name: str) -> ChatMember:
        return ChatMember(self._platform.world.person(conversation, name), conversation, self._actions)

    # Events

    def push(self, kind: str, body: object, *, event_id: str | None = None, shard: int | None = None) -> str:
        """Push any event to the sessions that it belongs to, or to one shard; return its event id."""
        return self._platform.push(kind, body, event_id=event_id, shard=shard).event_id

    async def event(self, kind: str, body: object) -> BotReply:
        """Push any event to the sessions that it belongs to, and return when the bot is done with it.

        The replies include the active messages that the bot sends meanwhile.  Raises: RuntimeError without a bot.
        """
        self._actions.require_bot()
        return BotReply(await self._actions.push_and_wait(kind, body))

    def push_message(
        self,
        scene: Scene,
        *,
        user: str = "Alice",
        text: str = "",
        conversation: str | None = None,
        mention: bool = True,
        attachments: Sequence[JsonObject] = (),
    ) -> str:
        """Write a message without waiting for the bot; return its event id.

        `conversation` is a name or id; by default the group "test", the channel "general", or the user's chat.
        """
        default = {"group": "test", "channel": "general"}.get(scene, user)
        where = self._platform.world.open(scene, conversation or default)
        person = self._platform.world.person(where, user)
        action = self._actions.message(person, where, text, mention=mention, attachments=list(attachments))
        delivered = self._actions.do(action)
        return delivered[0] if delivered else action.event_id

    def attachment(self, data: bytes, *, name: str, **fields: object) -> JsonObject:
        """Store a file; return it in the wire form that `say` takes, so that a message can have several files.

        `name` decides the type. `fields` replace or complete those of the wire form: width, height, content_type.
        """
        return {**self._actions.file(data, name), **fields}

    @contextmanager
    def expect_error(self, kind: type[Exception] = Exception) -> Generator[list[Exception], None, None]:
        """Expect that handlers raise `kind` while the body runs; the list has what they raised.

        Raises: AssertionError if no handler raised it.
        """
        expected = _Expected(kind)
        self._expected.append(expected)
        try:
            yield expected.errors
        finally:
            self._expected.remove(expected)
        if not expected.errors:
            raise AssertionError(f"a handler should have raised {kind.__name__}, but none did")

    @asynccontextmanager
    async def expect_silence(self) -> AsyncGenerator[None, None]:
        """Fail if the bot sends anything, to any conversation, while the body runs.

        Raises: AssertionError with what it sent.
        """
        with self._platform.exchanges.collect_sent() as messages:
            yield
        if messages:
            raise AssertionError(
                f"the bot should have sent nothing, but sent {[Transcript.of(each) for each in messages]}"
            )

    def show_notice(self, text: str, *, name: str = "bot") -> None:
        """Show a notice about the bot in the chat with the last message: that the bot crashed, for example.

        `name`: its kind; `restarted` is not shown as an error.
        """
        world = self._platform.world
        last = next((message.conversation for message in reversed(world.messages())), None)
        world.notice(last or world.group("test"), name, text=text)

    def open_chat(self, saved: str) -> int:
        """Show a chat that was saved from the page as JSON lines; return the number of its messages.

        The bot receives no event for it.  Raises: ValueError with the number of a line that is wrong.
        """
        return archive.load(self._platform, saved)

    async def ready(self, count: int = 1) -> None:
        """Return when `count` shards are READY or RESUMED."""
        await self._platform.gateway.wait_ready(count)

    async def identified(self) -> None:
        """Return when a shard has become READY since the last connection fault or call of this method."""
        await self._platform.gateway.identified.next()

    async def resumed(self) -> None:
        """Return when a shard has RESUMED since the last connection fault or call of this method."""
        await self._platform.gateway.resumed.next()

    @property
    def clock(self) -> Clock:
        """The platform's business time, which tests can advance."""
        return self._platform.clock

    @property
    def faults(self) -> Faults:
        """The faults: add rules, or strike connections now."""
        return self._platform.gateway.faults

    @property
    def webhook(self) -> Webhook:
        """The pushes to the bot over HTTP: address, flaws, deliveries."""
        return self._platform.webhook

    @property
    def audits(self) -> AuditService:
        """Which of the next guild messages are reviewed."""
        return self._platform.audits

    @property
    def uploads(self) -> UploadState:
        """The settings of multipart uploads: block size, concurrency, volume."""
        return self._platform.media.uploads

    @property
    def registered_domains(self) -> set[str]:
        """Domains that messages may link to, with their subdomains; empty at first."""
        return self._platform.registered_domains

    def silence_sessions(self) -> None:
        """Stop all events to the existing sessions, which stay alive and can be resumed."""
        self._platform.gateway.sessions.silence()

    def revoke_tokens(self) -> None:
        """Revoke all access tokens at once."""
        self._platform.tokens.revoke()

    # Observations

    @property
    def connections(self) -> list[ClientConnection]:
        """The last gateway connections, oldest first."""
        return list(self._platform.gateway.connections)

    @property
    def identifies(self) -> list[Identify]:
        """The last IDENTIFYs, oldest first."""
        return list(self._platform.gateway.identifies)

    @property
    def resumes(self) -> list[ResumeRequest]:
        """The last RESUMEs, oldest first."""
        return list(self._platform.gateway.resumes)

    @property
    def calls(self) -> list[CallRecord]:
        """The last calls, oldest first."""
        return list(self._platform.journal.calls)

    @property
    def frames(self) -> list[FrameRecord]:
        """The last gateway payloads, oldest first."""
        return list(self._platform.journal.frames)

    @property
    def violations(self) -> list[str]:
        """How the bot broke the platform's rules: identified too fast or too often, called an unknown endpoint."""
        return self._platform.violations()

    @property
    def unexpected_errors(self) -> list[tuple[str, Exception]]:
        """What handlers raised outside of `expect_error`, with their names; the fixture `qq` fails a test for it."""
        return list(self._unexpected)

    @property
    def lost_events(self) -> list[str]:
        """Ids of the events that were assigned to a session but never sent on a connection."""
        return self._platform.gateway.sessions.never_sent()

    def report(self) -> dict[str, str]:
        """Return what happened as text: the chat, the frames, the calls, and the violations."""
        return report(self._platform)

    def state(self) -> JsonObject:
        """Return the answer of GET /_sim/state."""
        return self._commands.state()
