"""How much the bot may send unasked: so many messages a minute and a day, to one conversation and in all.

Owns the counts, in business time, and who refuses such messages. Source: server-inter/message/overview and
codes.json `limits`.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..wire import JsonObject, is_object, text_of
from ..wire.refusal import Refusal
from .clock import DAY, MINUTE, Clock
from .profiles import Limits, Rights
from .world import Conversation, Scene

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
"""Where the windows for wake-up messages begin and end, in seconds after the user wrote last."""


@dataclass(slots=True)
class Quota:
    """So many messages in so many seconds; `code` refuses what is more."""

    name: str
    most: int
    seconds: float
    code: int
    taken: deque[float] = field(default_factory=deque[float])

    def left(self, now: float) -> int:
        """Return how many may be sent now."""
        while self.taken and now - self.taken[0] >= self.seconds:
            self.taken.popleft()
        return self.most - len(self.taken)


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
    """The active messages of one bot."""

    def __init__(self, clock: Clock, rights: Rights, limits: Limits) -> None:
        self._clock = clock
        self._rights = rights
        self._limits = limits
        self._bot: dict[Scene, list[Quota]] = {}
        self._conversations: dict[tuple[Scene, str], list[Quota]] = {}
        self._channels: dict[str, dict[str, float]] = {}
        self._refusing: set[tuple[Scene, str]] = set()
        self._talked: dict[str, float] = {}
        self._woken: dict[str, set[int]] = {}

    def note(self, kind: str, body: object) -> None:
        """Remember who refuses active messages, and when a user wrote last."""
        if not is_object(body):
            return
        if (switch := _SWITCHES.get(kind)) is not None:
            scene, name, refuses = switch
            change = self._refusing.add if refuses else self._refusing.discard
            change((scene, text_of(body, name)))
        author = body.get("author")
        if kind == "C2C_MESSAGE_CREATE" and is_object(author):
            user = text_of(author, "user_openid")
            self._talked[user] = self._clock.now()
            self._woken.pop(user, None)

    def take(self, where: Conversation) -> None:
        """Count one active message.  Raises: Refusal where there may be none now."""
        if (where.scene, where.id) in self._refusing:
            raise Refusal(_REFUSED[where.scene], "active messages are refused here")
        if self._limits == "none":
            return
        now = self._clock.now()
        self._take_channel(where, now)
        allowances = self._allowances(where)
        for allowance in allowances:
            if allowance.left(now) <= 0:
                raise Refusal(
                    allowance.code, f"the quota of active messages is used up: {allowance.most} ({allowance.name})"
                )
        for allowance in allowances:
            allowance.taken.append(now)

    def _take_channel(self, where: Conversation, now: float) -> None:
        """Count the channels of a guild that got active messages today."""
        if where.scene != "channel":
            return
        used = self._channels.setdefault(where.guild_id, {})
        for channel_id in [each for each, at in used.items() if now - at >= DAY]:
            del used[channel_id]
        if where.id not in used and len(used) >= _CHANNELS_OF_A_GUILD:
            raise Refusal(304047, f"active messages go to {_CHANNELS_OF_A_GUILD} channels of a guild a day")
        used.setdefault(where.id, now)

    def _allowances(self, where: Conversation) -> Sequence[Quota]:
        scene = where.scene
        if scene not in self._bot:
            self._bot[scene] = _of_bot(scene, self._rights)
            if scene == "c2c" and self._limits == "all":
                most = 10 if self._rights.certified else 5
                self._bot[scene].append(Quota("all in a second", most, 1.0, _V2_RATE))
        own = self._conversations.setdefault((scene, where.id), _of_conversation(scene))
        return [*self._bot[scene], *own]

    def wake(self, where: Conversation) -> None:
        """Count one wake-up message.  Raises: Refusal 40034122, 40034123."""
        talked = self._talked.get(where.id)
        window = -1 if talked is None else self._window(self._clock.now() - talked)
        if window < 0:
            raise Refusal(40034123, "the user has not written within 30 days: no wake-up message")
        woken = self._woken.setdefault(where.id, set())
        if window in woken:
            raise Refusal(40034122, "the wake-up message of this period is used up")
        woken.add(window)

    @staticmethod
    def _window(age: float) -> int:
        """Return the number of the window that `age` falls into, -1 where it is past the last."""
        return next((number for number, end in enumerate(_WAKEUPS[1:]) if age < end), -1)

    def document(self, where: Conversation) -> JsonObject:
        """Return what is left for a conversation, as the page and /_sim/state take it."""
        return dict(self._lefts(where))

    def _lefts(self, where: Conversation) -> Iterator[tuple[str, object]]:
        yield "refused", (where.scene, where.id) in self._refusing
        now = self._clock.now()
        for allowance in self._allowances(where):
            yield allowance.name, {"left": allowance.left(now), "most": allowance.most}
