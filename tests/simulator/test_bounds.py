"""What users, bots and programs can fill has a bound, and a bot goes on beyond it."""

from collections.abc import Callable

import pytest

from qqbot.simulator.gateway import service, sessions
from qqbot.simulator.platform import Click, Platform, PlatformSettings
from qqbot.simulator.state import audits, bounded, journal, uploads, world
from qqbot.simulator.state.streams import Stream
from qqbot.simulator.state.world import MessageRecord
from qqbot.testing import Close, Simulator
from tests.simulator.bare import BareBot


@pytest.fixture
def platform() -> Platform:
    return Platform(PlatformSettings(app_id="1", secret="x"))


def message(platform: Platform, number: int, **more: object) -> MessageRecord:
    where = platform.world.group("test")
    record = MessageRecord(f"m{number}", where, "user", "Alice", platform.clock.now(), "")
    for name, value in more.items():
        setattr(record, name, value)
    platform.world.add(record)
    return record


def test_a_bounded_mapping_forgets_the_oldest() -> None:
    mapping: bounded.Bounded[int, int] = bounded.Bounded(3)
    for number in range(10):
        mapping[number] = number
        mapping[7] = 0
    assert list(mapping) == [7, 8, 9]


def test_messages_are_bounded_by_number_and_by_what_they_take(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "MAX_MESSAGES", 50)
    monkeypatch.setattr(world, "MAX_CHARACTERS", 100_000)
    for number in range(200):
        message(platform, number)
    assert len(platform.world.messages()) == 50
    large = [message(platform, 1000 + number, text="x" * 20_000) for number in range(10)]
    assert sum(each.size() for each in platform.world.messages()) <= 100_000
    assert platform.world.messages()[-1] is large[-1]
    large[-1].remarks.append({"kind": "failed", "text": "x" * 90_000})
    platform.world.changed(large[-1])
    assert platform.world.messages() == [large[-1]], "what is added later counts as well"
    platform.world.remove(large[-1])
    message(platform, 2000)
    assert [each.id for each in platform.world.messages()] == ["m2000"]


def test_conversations_and_people_are_bounded_and_those_in_use_stay(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "MAX_CONVERSATIONS", 20)
    monkeypatch.setattr(world, "MAX_MEMBERS", 10)
    monkeypatch.setattr(world, "MAX_PEOPLE", 50)
    used = platform.world.group("used")
    for number in range(500):
        platform.world.user(f"user {number}")
        platform.world.channel(f"channel {number}", "club")
        platform.push("GROUP_ADD_ROBOT", {"group_openid": f"G{number}"})
        platform.world.person(used, f"member {number}")
        assert platform.world.find("group", used.id) is used
    everyone = list(platform.world.all())
    assert everyone[0] is used, "use does not change the order of the list"
    assert len(everyone) <= 20
    assert len(used.people) == 10
    assert sum(len(each.people) for each in everyone) <= 50
    assert len(platform.world.guilds["club"].channels) <= 20
    assert platform.world.group("used") is used


FILLED: dict[str, tuple[Callable[[Platform, int], object], Callable[[Platform], int], int]] = {
    "reply windows": (
        lambda p, n: p.reply_windows.observe(
            "C2C_MESSAGE_CREATE", f"e{n}", {"id": f"m{n}", "author": {"user_openid": "U"}}
        ),
        lambda p: max(len(p.reply_windows._messages), len(p.reply_windows._events)),
        20_000,
    ),
    "quotas": (
        lambda p, n: p.quotas.observe("GROUP_MSG_REJECT", {"group_openid": f"G{n}"}),
        lambda p: len(p.quotas._opted_out),
        20_000,
    ),
    "last messages": (
        lambda p, n: p.quotas.observe("C2C_MESSAGE_CREATE", {"author": {"user_openid": f"U{n}"}}),
        lambda p: len(p.quotas._last_message_at),
        20_000,
    ),
    "join requests": (
        lambda p, n: p.group_states.observe("GROUP_JOIN_REQUEST", {"group_openid": "G", "member_openid": f"M{n}"}),
        lambda p: len(p.group_states.group("G").requests),
        1_000,
    ),
    "groups": (lambda p, n: p.group_states.group(f"G{n}"), lambda p: len(p.group_states._groups), 1_000),
    "guilds": (lambda p, n: p.world.guild(f"guild {n}"), lambda p: len(p.world.guilds), 1_000),
    "violations": (lambda p, n: p.journal.violation("x" * n), lambda p: len(p.journal.violations), 1_000),
    "uploads": (
        lambda p, _: p.media.uploads.reserve(1, "image/png", ""),
        lambda p: len(p.media.uploads._uploads),
        uploads.MAX_UNFINISHED,
    ),
    "media": (
        lambda p, _: p.media.upload("c2c", {"file_type": 1, "url": "https://a.example/x.png"}),
        lambda p: len(p.media._uploads),
        10_000,
    ),
    "clicks": (
        lambda p, n: p.clicks.update({f"i{n}": Click(f"e{n}", message(p, 1))}),
        lambda p: len(p.clicks),
        5_000,
    ),
    "streams": (
        lambda p, n: p.streams.streams.update({f"s{n}": Stream(message(p, 1), 1)}),
        lambda p: len(p.streams.streams),
        1_000,
    ),
    "announced images": (
        lambda p, n: p.bot_state.uploads.update({f"u{n}": {}}),
        lambda p: len(p.bot_state.uploads),
        uploads.MAX_UNFINISHED,
    ),
    "webhook sessions": (
        lambda p, n: p.bot_state.webhook_sessions.update({f"s{n}": {}}),
        lambda p: len(p.bot_state.webhook_sessions),
        1_000,
    ),
    "blacklist": (
        lambda p, n: p.group_states.group("G").banned.update({f"M{n}": {}}),
        lambda p: len(p.group_states.group("G").banned),
        world.MAX_MEMBERS,
    ),
    "threads": (
        lambda p, n: p.guild_states.channel(p.world.channel("forum")).threads.update({f"t{n}": {}}),
        lambda p: len(p.guild_states.channel(p.world.channel("forum")).threads),
        1_000,
    ),
    "reactions": (
        lambda p, n: p.guild_states.channel(p.world.channel("forum")).reactions.update({(f"m{n}", "1", "4"): []}),
        lambda p: len(p.guild_states.channel(p.world.channel("forum")).reactions),
        5_000,
    ),
    "shown events": (
        lambda p, n: p.explanations.show(message(p, 1), [f"e{n}"], f"i{n}"),
        lambda p: len(p.explanations._shown),
        20_000,
    ),
}


@pytest.mark.parametrize(("fill", "count", "bound"), FILLED.values(), ids=FILLED)
def test_what_is_filled_from_outside_is_bounded(
    platform: Platform, fill: Callable[[Platform, int], object], count: Callable[[Platform], int], bound: int
) -> None:
    for number in range(bound + 10):
        fill(platform, number)
    assert count(platform) == bound


def test_frames_are_bounded_by_what_they_take(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_CHARACTERS", 10_000)
    for _ in range(100):
        platform.journal.frame("to_bot", 1, None, 0, "x" * 1000)
        assert len(platform.journal.frames) <= 10
    platform.journal.frame("to_bot", 1, None, 0, "y" * 50_000)
    assert [len(each["json"]) for each in platform.journal.frames] == [50_000]


def test_reviews_and_rules_are_bounded(sim: Simulator) -> None:
    for _ in range(audits._MAX_EXPECTED):
        sim.audits.expect()
    with pytest.raises(ValueError, match="1000 reviews"):
        sim.audits.expect()
    for _ in range(1000):
        sim.faults.add("IDENTIFY", Close(4009))
    with pytest.raises(ValueError, match="1000 rules"):
        sim.faults.add("IDENTIFY", Close(4009))


def test_a_session_that_nobody_reads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "REPLAY_CHARACTERS", 100_000)
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 10)
    table = sessions.SessionTable()
    session = table.create((0, 1), 1 << 25)
    for number in range(1000):
        session.append("X", f"e{number}", f'"{"x" * 1000}"')
    assert len(session.never_sent()) == 1000
    assert not session.can_replay_after(0)
    assert session.can_replay_after(950)
    for count in range(2, 100):
        table.create((0, count), 1)
    assert len(table.all()) == 10
    assert len(table.never_sent()) == 1000


def test_what_is_due_is_only_kept_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf:
        open = True

        def wake(self) -> None:
            """Read nothing."""

    monkeypatch.setattr(sessions, "DUE_CHARACTERS", 10_000)
    session = sessions.SessionTable().create((0, 1), 1)
    session.append("X", "first", "{}")
    assert session.take() is None
    session.replay_after(0)
    session.listener = Deaf()
    for number in range(1000):
        session.append("X", f"e{number}", f'"{"x" * 100}"')
    due = [each.event_id for each in iter(session.take, None)]
    assert due[0] == "first"
    assert 60 < len(due) < 100
    session.append("X", "another", "{}")
    session.detach()
    assert session.take() is None
    session.replay_after(0)
    assert len(list(iter(session.take, None))) == 1002


async def test_connections_are_bounded_and_one_that_is_open_stays(
    sim: Simulator, bot: BareBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEPT", 5)
    first = await bot.connect_ready()
    for _ in range(20):
        socket = await bot.connect()
        await socket.ws.close()
    assert len(sim.connections) <= 6
    assert sim.connections[0].number == 1
    assert sim.connections[0].ready
    assert [each.number for each in sim.connections[1:]] == sorted(each.number for each in sim.connections[1:])
    sim.push_message("group", text="still there")
    assert (await first.next())["t"] == "GROUP_AT_MESSAGE_CREATE"


async def test_after_many_messages_a_bot_is_answered_as_before(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    for number in range(3000):
        sim.push_message("group", user=f"user {number % 50}", text="x" * 100)
        event = await socket.next()
    status, _ = await bot.send_to_group(sim.group("test").id, content="hi", msg_id=event["d"]["id"])
    assert status == 200
