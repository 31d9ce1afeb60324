"""Scenarios from the field: failures reported for real bots, replayed, with checks of what a bot should do.

Responsible for the stories and their checks; a `Stage` has the simulator and the bots. A bot only has to answer
`Stage.greeting`, in groups and, for reviews, in channels.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from . import wire
from .faults.kinds import HtmlBody, Http, Latency, Op7, Op9, SentButNoResponse
from .people import BotReply, ChatMember, Transcript
from .simulator import Servable, Simulator
from .wire.refusal import Refusal

PATIENCE = 20.0
"""Seconds within which a bot must do what it should do at once."""

_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what the bot should do, whether it did (`right`), and what was `seen`."""

    what: str
    right: bool
    seen: str = ""


@runtime_checkable
class Hookable(Protocol):
    """A bot that receives its events by webhook."""

    @property
    def webhook_url(self) -> str | None:
        """The address that events are pushed to while the bot is served."""
        ...


class Stage:
    """One run of a scenario: a simulator, its bots, and the findings. `bots` makes a new bot at each call."""

    def __init__(self, bots: Callable[[], Servable], options: Mapping[str, Any], *, greeting: str = "hello") -> None:
        self.sim = Simulator(**options)
        self.greeting = greeting
        self.findings: list[Finding] = []
        self._bots = bots

    @asynccontextmanager
    async def bot(self) -> AsyncGenerator[None]:
        """Serve a bot while the body runs."""
        bot = self._bots()
        async with self.sim.run(bot):
            if isinstance(bot, Hookable):
                self.sim.webhook.url = bot.webhook_url
            yield

    @property
    def alice(self) -> ChatMember:
        """A member of a group."""
        return self.sim.group("test").member("Alice")

    @property
    def said(self) -> list[Transcript]:
        """What the bots have sent to that group."""
        return self.sim.group("test").messages

    def check(self, what: str, right: bool, seen: object = "") -> None:
        """Record the result of one check."""
        self.findings.append(Finding(what, right, str(seen)))

    async def ask(self, what: str = "answers what was written meanwhile", *, by: ChatMember | None = None) -> BotReply:
        """Greet the bot, and check that it answers once."""
        reply = await (by or self.alice).say(self.greeting, timeout=PATIENCE)
        self.check(what, len(reply.messages) == 1, f"{len(reply.messages)} answers, {reply.outcome or 'no outcome'}")
        return reply

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Wait until a condition is true; return False if it is not true after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - the bot's actions set no asyncio.Event
                    await asyncio.sleep(_POLL)
        return condition()

    def calls(self, method: str, ending: str, status: int | None = None) -> int:
        """Count the calls of a method to paths with this ending, answered with `status`."""
        return sum(
            call["method"] == method and call["path"].endswith(ending) and status in (None, call["status"])
            for call in self.sim.calls
        )

    @property
    def tokens(self) -> int:
        """How often the bot has requested a token."""
        return self.calls("POST", "/getAppAccessToken")


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story. `right`: what a bot should do. `source`: the report. `options`: those of the simulator.

    `renewal`: seconds after which the bot has to renew a silent session, instead of a day; None: the default.
    `by_webhook`: True if it receives its events by webhook.
    """

    name: str
    story: str
    right: str
    source: str
    play: Play
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    renewal: float | None = None
    by_webhook: bool = False


SCENARIOS: dict[str, Scenario] = {}
"""All scenarios by name."""


def _scenario(
    name: str,
    *,
    story: str,
    right: str,
    source: str,
    renewal: float | None = None,
    by_webhook: bool = False,
    **options: Any,
) -> Callable[[Play], Play]:
    def register(play: Play) -> Play:
        SCENARIOS[name] = Scenario(
            name=name,
            story=story,
            right=right,
            source=source,
            play=play,
            options=options,
            renewal=renewal,
            by_webhook=by_webhook,
        )
        return play

    return register


async def perform(scenario: Scenario, bots: Callable[[], Servable], *, greeting: str = "hello") -> list[Finding]:
    """Play a scenario with a bot; return the findings. `bots` makes the bot, and a second one if the story has two."""
    stage = Stage(bots, scenario.options, greeting=greeting)
    await scenario.play(stage)
    stage.check("loses no event", not stage.sim.lost_events, ", ".join(stage.sim.lost_events))
    stage.check("keeps the platform's limits", not stage.sim.violations, "; ".join(stage.sim.violations))
    return stage.findings


# Connections


@_scenario(
    "4009-every-30min",
    story="Every half hour the gateway requests a new connection (op 7) and closes the old one with 4009.",
    right="RESUME the existing session at once: no event is lost, no IDENTIFY is spent. "
    "立即恢复会话，不丢事件，不消耗 IDENTIFY。",
    source="github.com/openclaw/openclaw/issues/78890",
)
async def _half_hours(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        for _ in range(3):
            await sim.clock.advance(minutes=30)
            resumes = len(sim.resumes)
            sim.faults.strike(Op7())
            if not await stage.until(lambda before=resumes: len(sim.resumes) > before, 2.0):  # type: ignore[misc]
                sim.faults.close(4009)
            await stage.ask()
        stage.check("RESUMEs each time", len(sim.resumes) == 3, f"{len(sim.resumes)} RESUMEs in 3 rounds")
        stage.check("identifies only once", len(sim.identifies) == 1, f"{len(sim.identifies)} IDENTIFYs")


@_scenario(
    "4902-resume-refused",
    story="After a lost connection the gateway refuses each RESUME with 4902, reset by resume.",
    right="After two RESUMEs at most, give the session up and IDENTIFY; never keep resuming. "
    "最多两次 RESUME，之后放弃会话重新 IDENTIFY。",
    source="github.com/tencent-connect/bot-node-sdk/issues/94",
)
async def _refused_resume(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.faults.close_on_resume(4902, times=0)
        sim.faults.close(4009)
        identified = await stage.until(lambda: len(sim.identifies) > 1)
        stage.check("IDENTIFYs again", identified, f"{len(sim.identifies)} IDENTIFYs")
        stage.check("gives up after two RESUMEs at most", len(sim.resumes) <= 2, f"{len(sim.resumes)} RESUMEs")
        await _answers_again(stage)


@_scenario(
    "4903-needs-new-token",
    story="The gateway answers IDENTIFY with op 9 and 4903, create session error: it needs a new token.",
    right="Fetch a new token and IDENTIFY again, seconds later, with a longer delay each time. "
    "换新的 token，隔几秒再 IDENTIFY，并逐次放慢。",
    source="github.com/tencent-connect/openclaw-qqbot/issues/18",
)
async def _needs_token(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        tokens = stage.tokens
        sim.faults.op9_on_identify(close=4903)
        sim.faults.close(4006)
        again = await stage.until(lambda: len(sim.identifies) > 2)
        stage.check("asks for another token", stage.tokens > tokens, f"{stage.tokens - tokens} requests")
        gap = sim.identifies[-1]["time"] - sim.identifies[-2]["time"] if again else 0.0
        stage.check("IDENTIFYs again, 3 s later or more", gap >= 3.0, f"{gap:.1f} s later" if again else "never")
        await _answers_again(stage)


@_scenario(
    "op9-then-close",
    story="The gateway declares the session invalid (op 9) and gives the reason only a moment later, as a close code.",
    right="Wait for the close code, then IDENTIFY; do not RESUME. 等到关闭码，再 IDENTIFY，不再 RESUME。",
    source="github.com/bubbuild/bub-contrib/pull/61",
)
async def _invalid_session(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.faults.strike(Op9(resumable=False))
        await asyncio.sleep(0.5)
        waited = sim.connections[0].open
        stage.check("waits for the close code", waited, "disconnected before it came" if not waited else "")
        if waited:
            sim.faults.close(4903)
        identified = await stage.until(lambda: len(sim.identifies) > 1)
        stage.check("IDENTIFYs again", identified, f"{len(sim.identifies)} IDENTIFYs")
        stage.check("does not RESUME", not sim.resumes, f"{len(sim.resumes)} RESUMEs")
        await _answers_again(stage)


@_scenario(
    "sleeping-laptop",
    story="The machine slept; when it wakes, the connection is dead without a close frame.",
    right="Detect the missing heartbeat acknowledgement, close the connection, RESUME, and handle the missed events. "
    "发现心跳无应答后断开并 RESUME，补处理期间的事件。",
    source="github.com/NousResearch/hermes-agent/pull/26025",
    heartbeat_interval=1.0,
)
async def _asleep(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.faults.half_open()
        start = time.monotonic()
        await stage.ask()
        noticed = time.monotonic() - start
        stage.check("notices within 3 heartbeats", noticed < 4.0, f"after {noticed:.1f} s, a heartbeat each second")
        stage.check("RESUMEs", len(sim.resumes) == 1, f"{len(sim.resumes)} RESUMEs")
        stage.check("identifies only once", len(sim.identifies) == 1, f"{len(sim.identifies)} IDENTIFYs")


@_scenario(
    "silent-session-after-3-days",
    story="A session that is days old acknowledges heartbeats and RESUMEs, but no event comes any more.",
    right="IDENTIFY again if the session is older than a day and has been silent for ten minutes. "
    "会话超过一天且十分钟没有事件时，重新 IDENTIFY。",
    source="github.com/tencent-connect/bot-docs/issues/191",
    renewal=1.0,
)
async def _silent_session(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.silence_sessions()
        await sim.clock.advance(days=3)
        renewed = await stage.until(lambda: len(sim.identifies) > 1, PATIENCE)
        stage.check("IDENTIFYs again", renewed, f"{len(sim.identifies)} IDENTIFYs, after 3 days of the platform's time")
        if renewed:
            await _answers_again(stage)


@_scenario(
    "rolling-deploy",
    story="A new version of the bot starts while the old one still runs; then the old one stops.",
    right="No event is lost in between, and no message is answered twice. 不丢事件，也不重复回复。",
    source="docs/develop/api-v2/dev-prepare/event-emit/websocket",
)
async def _deployed(stage: Stage) -> None:
    sim = stage.sim
    async with AsyncExitStack() as old, AsyncExitStack() as new:
        await old.enter_async_context(stage.bot())
        await stage.ask("the old one answers")
        await new.enter_async_context(stage.bot())
        await stage.ask("both are there, one answers")
        await old.aclose()
        await stage.ask("the new one answers")
    said = len(stage.said)
    stage.check("3 questions have 3 answers", said == 3, f"{said} answers")
    closes = [connection.code for connection in sim.connections if connection.closed_by == "bot"]
    stage.check("leaves its session to be resumed: closes with 4000", closes == [4000, 4000], closes)


async def _answers_again(stage: Stage) -> None:
    """Check that the bot is connected again and answers."""
    sim = stage.sim
    live = await stage.until(lambda: any(connection.ready and connection.open for connection in sim.connections))
    stage.check("is READY again", live)
    if live:
        await stage.ask("answers again")


# Messages


@_scenario(
    "msg-id-redelivered",
    story="The gateway delivers one message twice, under two event ids.",
    right="Answer it once. 只回复一次。",
    source="github.com/openclaw/openclaw/issues/65579",
)
async def _redelivered(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        await stage.ask("answers")
        frame = next(frame for frame in sim.frames if frame["t"] == "GROUP_AT_MESSAGE_CREATE")
        body = wire.object_of(wire.parse_object(frame["json"]), "d")
        await sim.event("GROUP_AT_MESSAGE_CREATE", body)
        await stage.ask("answers the next message")
        calls = stage.calls("POST", "/messages")
        stage.check("sends 2 answers to 2 messages", calls == 2, f"{calls} calls, {len(stage.said)} answers")


@_scenario(
    "msgseq-dedup",
    story="The platform accepted a reply, but the connection broke before the response.",
    right="Retry with the same msg_seq: the platform refuses it as a duplicate (40054005), so the reply was sent. "
    "用同一个 msg_seq 重试，被去重（40054005）即表示已发送。",
    source="autogen/api/v2_groups_group_openid_messages.post",
)
async def _cut_off(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.faults.add("POST /v2/groups/*/messages", SentButNoResponse())
        reply = await stage.ask("answers")
        stage.check("counts it as sent", reply.outcome != "failed", reply.outcome)
        sends = [call for call in sim.calls if call["path"].endswith("/messages")]
        seqs = {wire.parse_object(call["request"]).get("msg_seq") for call in sends}
        stage.check(
            "repeats it with the same msg_seq", len(sends) == 2 and len(seqs) == 1, f"msg_seq {sorted(map(str, seqs))}"
        )
        stage.check("the chat shows it once", len(stage.said) == 1, f"{len(stage.said)} times")


@_scenario(
    "413-html",
    story="A proxy in front of the platform refuses a message with 413 and an HTML page.",
    right="Raise a clear error, do not send it again, and keep running. 给出明确的错误，不重发，继续运行。",
    source="docs/develop/api-v2/server-inter/message/rich-media",
)
async def _too_large(stage: Stage) -> None:
    sim = stage.sim
    async with stage.bot():
        sim.faults.add("POST /v2/groups/*/messages", HtmlBody(413))
        reply = await stage.alice.say(stage.greeting, timeout=PATIENCE)
        refused = stage.calls("POST", "/messages", 413)
        stage.check("does not send it again", stage.calls("POST", "/messages") == refused == 1, f"{refused} calls")
        stage.check("is done with the event", reply.outcome in ("handled", "failed"), reply.outcome)
        await stage.ask("keeps running, and answers the next message")


@_scenario(
    "audit-202",
    story="A message in a channel is reviewed: HTTP 202 and 304023 or 304024; the result comes as an event.",
    right="Do not send it again: it appears once it has passed. 不要重发，审核通过后自然可见。",
    source="docs/develop/api-v2/server-inter/channel/message/event",
)
async def _reviewed(stage: Stage) -> None:
    sim = stage.sim
    general = sim.channel("general")
    async with stage.bot():
        sim.audits.expect(passes=True, delay=0.1)
        reply = await general.member("Alice").say(stage.greeting, timeout=PATIENCE)
        if reply.outcome in (None, "unwanted"):
            stage.check("receives no events of channels, where messages are reviewed", right=True)
            return
        shown = await stage.until(lambda: bool(general.messages), 2.0)
        sent = stage.calls("POST", "/messages")
        stage.check("sends it once", sent == stage.calls("POST", "/messages", 202) == 1, f"{sent} calls")
        stage.check(
            "it shows once it has passed", shown and len(general.messages) == 1, f"{len(general.messages)} times"
        )
        await stage.ask("keeps running, and answers the next message", by=general.member("Alice"))


@_scenario(
    "webhook-slow-ack",
    story="A handler takes longer than the platform waits for the acknowledgement of a push; it pushes again.",
    right="Acknowledge before the handler is done, and answer once, no matter how often the event is pushed. "
    "先应答再处理，无论推送几次都只回复一次。",
    source="docs/develop/api-v2/dev-prepare/event-emit/webhook",
    by_webhook=True,
)
async def _slow_handler(stage: Stage) -> None:
    sim = stage.sim
    sim.webhook.ack_limit = 1.0
    async with stage.bot():
        sim.faults.add("POST /v2/groups/*/messages", Latency(2.5))
        await stage.ask("answers, though it takes long")
        await sim.webhook.delivered()
        first = sim.webhook.deliveries[0]
        stage.check("acknowledges within the limit", first.acknowledged, f"{first.answer}, {first.seconds:.1f} s")
        stage.check("answers once", len(stage.said) == 1, f"{len(stage.said)} answers")
        await stage.ask("answers the next message")


# Access


@_scenario(
    "ip-not-listed-11298",
    story="The machine's IP address is not on the bot's allow list: each call is answered with 401 and 11298.",
    right="Stop and name the allow list; a new token does not help, and retrying only loads the platform. "
    "停止并指出 IP 白名单，换 token 没有用。",
    source="github.com/tencent-connect/botpy/issues/189",
)
async def _not_listed(stage: Stage) -> None:
    sim = stage.sim
    body = Refusal(11298, "the IP is not on the white list", 401).document("0" * 32)
    sim.faults.add("GET /gateway*", Http(401, body=body), times=0)
    error = ""
    try:
        async with asyncio.timeout(PATIENCE), stage.bot():
            pass
    except TimeoutError:
        error = "it keeps trying"
    except Exception as problem:  # noqa: BLE001 - whatever ends the bot, its message is checked
        error = str(problem)
    named = any(code in error for code in ("11298", "40023002"))  # the old and the new code of this error
    stage.check("stops, and names the code", named, error.partition("\n")[0])
    stage.check("requests no further tokens", stage.tokens <= 2, f"{stage.tokens} requests")
    asked = stage.calls("GET", "/gateway/bot") + stage.calls("GET", "/gateway")
    stage.check("asks twice at most", asked <= 2, f"{asked} times")
