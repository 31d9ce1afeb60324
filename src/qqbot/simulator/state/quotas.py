"""Quotas of active messages, per conversation and per bot, and of wake-up messages.

Responsible for the counters, in business time, and for the conversations that have opted out of active messages.
Collaborators: `endpoints.sending` counts a message here before it is sent; replies are counted in `replies`.

Source: server-inter/message/overview and codes.json `limits`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..wire import JsonObject, is_object, text_of
from ..wire.refusal import Refusal
from .bounded import Bounded
from .clock import DAY, MINUTE, Clock
from .profiles import Limits, Rights
from .world import MAX_CONVERSATIONS, Conversation, Scene

_V2_RATE, _V2_DAY = 40034100, 22009
_REFUSED: dict[Scene, int] = {"group": 40034105, "c2c": 40054013}
_SWITCHES: dict[str, tuple[Scene, str, bool]] = {
    "GROUP_MSG_REJECT": ("group", "group_openid", True),
    "GROUP_MSG_RECEIVE": ("group", "group_openid", False),
    "C2C_MSG_REJECT": ("c2c", "openid", True),
    "C2C_MSG_RECEIVE": ("c2c", "openid", False),
}

_CHANNELS_OF_A_GUILD = 2
_WAKEUPS = (0.0, DAY, 3 * DAY, 7 * DAY, 30 * DAY)
"""Limits of the windows for wake-up messages, in seconds since the last message of the user."""


@dataclass(slots=True)
class Quota:
    """At most `most` messages within `seconds`; `code` refuses further ones. `sent_at`: their business times."""

    name: str
    most: int
    seconds: float
    code: int
    sent_at: deque[float] = field(default_factory=deque[float])

    def left(self, now: float) -> int:
        """Return how many messages may be sent now."""
        while self.sent_at and now - self.sent_at[0] >= self.seconds:
            self.sent_at.popleft()
        return self.most - len(self.sent_at)


def _of_conversation(scene: Scene) -> list[Quota]:
    match scene:
        case "group" | "c2c":
            return [Quota("minute", 20, MINUTE, _V2_RATE), Quota("day", 1000, DAY, _V2_DAY)]
        case "channel":
            return [Quota("day", 20, DAY, 304045)]
        case _:
            return [Quota("day", 2, DAY, 304049)]


def _of_bot(scene: Scene, rights: Rights) -> list[Quota]:
    match scene:
        case "group":
            return [Quota("all in a minute", 60 if rights.certified else 30, MINUTE, _V2_RATE)]
        case "c2c" if not rights.certified:
            return [Quota("all in a minute", 30, MINUTE, _V2_RATE)]
        case "dms":
            return [Quota("all in a day", 200, DAY, 304050)]
        case _:
            return []


class QuotaState:
    """Active messages of one bot."""

    def __init__(self, clock: Clock, rights: Rights, limits: Limits) -> None:
        self._clock = clock
        self._rights = rights
        self._limits = limits
        # Quotas of the bot over all conversations of a scene.
        self._bot: dict[Scene, list[Quota]] = {}
        self._conversations: dict[tuple[Scene, str], list[Quota]] = Bounded(MAX_CONVERSATIONS)
        # For each guild, the channels that got active messages, and when their day began.
        self._channels: dict[str, dict[str, float]] = Bounded(MAX_CONVERSATIONS)
        # Conversations that have switched active messages off.
        self._opted_out: dict[tuple[Scene, str], None] = Bounded(MAX_CONVERSATIONS)
        # Last message of each user, which the wake-up windows are counted from, and the windows used since.
        self._last_message_at: dict[str, float] = Bounded(MAX_CONVERSATIONS)
        self._used_windows: dict[str, set[int]] = Bounded(MAX_CONVERSATIONS)

    def observe(self, kind: str, body: object) -> None:
        """Update the opt-outs and the last message of a user from a pushed event."""
        if not is_object(body):
            return
        if (switch := _SWITCHES.get(kind)) is not None:
            scene, name, opts_out = switch
            place = scene, text_of(body, name)
            self._opted_out.pop(place, None)
            if opts_out:
                self._opted_out[place] = None
        author = body.get("author")
        if kind == "C2C_MESSAGE_CREATE" and is_object(author):
            user = text_of(author, "user_openid")
            self._last_message_at[user] = self._clock.now()
            self._used_windows.pop(user, None)

    def take(self, conversation: Conversation) -> None:
        """Count one active message.  Raises: Refusal if the conversation has opted out, or a quota is used up."""
        if (conversation.scene, conversation.id) in self._opted_out:
            raise Refusal(_REFUSED[conversation.scene], "active messages are refused here")
        if self._limits == "none":
            return
        now = self._clock.now()
        self._take_channel(conversation, now)
        quotas = self._quotas_of(conversation)
        for quota in quotas:
            if quota.left(now) <= 0:
                raise Refusal(quota.code, f"the quota of active messages is used up: {quota.most} ({quota.name})")
        for quota in quotas:
            quota.sent_at.append(now)

    def _take_channel(self, conversation: Conversation, now: float) -> None:
        """Count a channel of a guild that gets active messages today.  Raises: Refusal 304047."""
        if conversation.scene != "channel":
            return
        used = self._channels.setdefault(conversation.guild_id, {})
        for channel_id in [each for each, at in used.items() if now - at >= DAY]:
            del used[channel_id]
        if conversation.id not in used and len(used) >= _CHANNELS_OF_A_GUILD:
            raise Refusal(304047, f"active messages go to {_CHANNELS_OF_A_GUILD} channels of a guild a day")
        used.setdefault(conversation.id, now)

    def _quotas_of(self, conversation: Conversation) -> Sequence[Quota]:
        scene = conversation.scene
        if scene not in self._bot:
            self._bot[scene] = _of_bot(scene, self._rights)
            if scene == "c2c" and self._limits == "all":
                most = 10 if self._rights.certified else 5
                self._bot[scene].append(Quota("all in a second", most, 1.0, _V2_RATE))
        own = self._conversations.setdefault((scene, conversation.id), _of_conversation(scene))
        return [*self._bot[scene], *own]

    def wake(self, conversation: Conversation) -> None:
        """Count one wake-up message.  Raises: Refusal 40034122, 40034123."""
        last_message_at = self._last_message_at.get(conversation.id)
        window = -1 if last_message_at is None else self._window(self._clock.now() - last_message_at)
        if window < 0:
            raise Refusal(40034123, "the user has not written within 30 days: no wake-up message")
        used = self._used_windows.setdefault(conversation.id, set())
        if window in used:
            raise Refusal(40034122, "the wake-up message of this period is used up")
        used.add(window)

    @staticmethod
    def _window(age: float) -> int:
        """Return the number of the window that contains `age`, -1 after the last one."""
        return next((number for number, end in enumerate(_WAKEUPS[1:]) if age < end), -1)

    def document(self, conversation: Conversation) -> JsonObject:
        """Return what is left for a conversation, in the form of the page and /_sim/state."""
        return dict(self._remaining(conversation))

    def _remaining(self, conversation: Conversation) -> Iterator[tuple[str, object]]:
        yield "refused", (conversation.scene, conversation.id) in self._opted_out
        now = self._clock.now()
        for quota in self._quotas_of(conversation):
            yield quota.name, {"left": quota.left(now), "most": quota.most}
