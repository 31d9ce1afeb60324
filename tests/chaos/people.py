"""Users who write to the bot: messages in many conversations, clicks, bursts, duplicate deliveries, and dialogs.

Each message has a key, `PLACE#NUMBER`, which is its id, stands in its text, and counts up in its conversation.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from qqbot.testing import Simulator

from .server_log import ServerLog

BURST = 60
PATIENCE = 12.0
"""Seconds that a user in a dialog waits for the bot; longer than the bot waits for the user."""

WORDS = {"echo": 45, "wait": 25, "mute": 15, "fail": 5}
GROUPS, FRIENDS, CHANNELS, TALKERS = 12, 8, 4, 4
TIMESTAMP = "2026-11-23T12:00:00+08:00"


@dataclass(frozen=True, slots=True)
class Pushed:
    """One message or click. `at` is monotonic, in seconds."""

    key: str
    word: str
    at: float

    @property
    def ordering_key(self) -> str:
        """The conversation, in which numbers count up."""
        return self.key.partition("#")[0]

    @property
    def number(self) -> int:
        """Its number in the conversation."""
        return int(self.key.partition("#")[2])


@dataclass(frozen=True, slots=True)
class Spot:
    """A conversation: the name of its messages' event, and what their payload has besides id and text."""

    name: str
    kind: str
    body: dict[str, Any]


@dataclass(slots=True)
class Dialog:
    """One dialog: its messages, and whether the user who began it received its last answer."""

    keys: list[str]
    done: bool = False


def places(sim: Simulator) -> Iterator[Spot]:
    """Return groups, friends and channels."""
    for index in range(GROUPS):
        author = {"id": "M", "member_openid": sim.group(f"g{index}").member("Alice").openid}
        body = {"group_openid": sim.group(f"g{index}").id, "author": author}
        yield Spot(f"g{index}", "GROUP_AT_MESSAGE_CREATE", body)
    for index in range(FRIENDS):
        yield friend(sim, f"c{index}")
    for index in range(CHANNELS):
        channel = sim.channel(f"h{index}", guild=f"guild {index}")
        author = {"id": "7", "username": "Alice"}
        body = {"guild_id": channel.guild_id, "channel_id": channel.id, "author": author}
        yield Spot(f"h{index}", "AT_MESSAGE_CREATE", body)


def friend(sim: Simulator, name: str) -> Spot:
    """Return the private chat with a friend."""
    openid = sim.user(name).openid
    return Spot(name, "C2C_MESSAGE_CREATE", {"author": {"id": openid, "user_openid": openid}})


class People:
    """All who write to one bot, about `rate` messages a second.

    `hold`: how often a handler is to take long, of a hundred. `patience`: seconds that people wait in a dialog.
    `dialogs`: those that were begun.
    """

    def __init__(
        self, sim: Simulator, log: ServerLog, *, seed: int, rate: float, hold: float, patience: float = PATIENCE
    ) -> None:
        self.pushed: dict[str, Pushed] = {}
        self.dialogs: list[Dialog] = []
        self._sim = sim
        self._log = log
        self._random = Random(seed)
        self._rate = rate
        self._patience = patience
        self._words = {**WORDS, "hold": hold}
        self._places = list(places(sim))
        self._talkers = [friend(sim, f"d{index}") for index in range(TALKERS)]
        self._numbers: dict[str, int] = {}
        self._stopped = True

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Let them write while the body runs; dialogs that were begun are brought to their end after it."""
        self._stopped = False
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._write())
            for talker in self._talkers:
                tasks.create_task(self._talk(talker))
            try:
                yield
            finally:
                self._stopped = True
                writer.cancel()

    def clear(self) -> None:
        """Forget what is over."""
        self.pushed.clear()
        self.dialogs.clear()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(self._rate))
            for _ in range(BURST if self._random.random() < 0.1 / self._rate else 1):
                self._say_something()

    def _say_something(self) -> None:
        place = self._random.choice(self._places)
        luck = self._random.random()
        if luck < 0.05 and place.kind == "GROUP_AT_MESSAGE_CREATE":
            self._click(place)
            return
        [word] = self._random.choices(list(self._words), list(self._words.values()))
        body = self._say(place, word)
        if luck > 0.95 and place.kind == "GROUP_AT_MESSAGE_CREATE":
            self._sim.push("GROUP_MESSAGE_CREATE", body)  # the platform may deliver one message under both names

    def _record(self, ordering_key: str, word: str) -> str:
        number = self._numbers[ordering_key] = self._numbers.get(ordering_key, 0) + 1
        key = f"{ordering_key}#{number}"
        self.pushed[key] = Pushed(key, word, time.monotonic())
        return key

    def _say(self, place: Spot, word: str) -> dict[str, Any]:
        key = self._record(place.name, word)
        body = {"id": key, "content": f" {key} {word}", "timestamp": TIMESTAMP, **place.body}
        self._sim.push(place.kind, body)
        return body

    def _click(self, place: Spot) -> None:
        """Press a button: clicks have an ordering key of their own."""
        key = self._record(f"i{place.name}", "click")
        where = {"group_openid": place.body["group_openid"], "group_member_openid": "M"}
        data = {"type": 11, "resolved": {"button_id": "1", "button_data": "x", "message_id": "m"}}
        self._sim.push(
            "INTERACTION_CREATE",
            {"id": key, "application_id": self._sim.app_id, "type": 11, "timestamp": TIMESTAMP, "version": 1}
            | {"data": data, "scene": "group", "chat_type": 1, **where},
        )

    async def _talk(self, talker: Spot) -> None:
        while not self._stopped:
            await asyncio.sleep(self._random.uniform(0, 2))
            dialog = Dialog([self._say(talker, "ask")["id"]])
            self.dialogs.append(dialog)
            await self._converse(talker, dialog)

    async def _converse(self, talker: Spot, dialog: Dialog) -> None:
        """Answer what the bot asks twice, and wait for its last word; give up where it says nothing."""
        for number in (1, 2):
            if not await self._receives(f"ask{number} {dialog.keys[0]}"):
                return
            dialog.keys.append(self._say(talker, "answer")["id"])
        dialog.done = await self._receives(f"done {' '.join(dialog.keys)}")

    async def _receives(self, text: str) -> bool:
        end = time.monotonic() + self._patience
        while not (found := text in self._log.answers) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        return found
