"""Guilds, channels, members and what hangs on them: each endpoint against the simulated platform."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest

from qqbot import Api
from qqbot.api.route_table import ROUTES
from qqbot.errors import ApiError, ConfigError, NotFound, PermissionMissing, QuotaExceeded
from qqbot.models.announces import RecommendChannel
from qqbot.models.api_permissions import APIPermissionDemandIdentify
from qqbot.models.audio import AudioControl, AudioStatus
from qqbot.models.channels import ChannelSubType, ChannelType, PrivateType, SpeakPermission
from qqbot.models.forums import ThreadFormat
from qqbot.models.permissions import Permissions
from qqbot.models.reactions import Emoji, EmojiType
from qqbot.models.rich_text import RichText
from qqbot.models.schedules import RemindType
from qqbot.testing import Simulator

START = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
END = START + timedelta(hours=2)
MS = str(int(START.timestamp() * 1000)), str(int(END.timestamp() * 1000))
PARTY = Emoji.of("🎉")


class World(NamedTuple):
    """One guild with two channels, three members, a message, a role, a schedule and a thread."""

    sim: Simulator
    api: Api
    guild: str
    channel: str
    voice: str
    alice: str
    bob: str
    message: str
    role: str
    schedule: str
    thread: str
    dms: str


@pytest.fixture
async def sim() -> AsyncGenerator[Simulator]:
    async with Simulator(profile="private", limits="none") as simulator:
        yield simulator
    assert simulator.violations == []


@pytest.fixture
async def api(sim: Simulator) -> AsyncGenerator[Api]:
    async with Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as opened:
        yield opened


@pytest.fixture
async def world(sim: Simulator, api: Api) -> World:
    general = sim.channel("general")
    alice, bob = general.member("Alice").openid, general.member("Bob").openid
    general.member("Olga", role="owner")
    voice = (await api.channels.create(general.guild_id, "voice", ChannelType.VOICE)).id
    message = (await api.channels.send_message(general.id, "look")).id
    role = (await api.roles.create(general.guild_id, name="readers")).role_id
    schedule = (await api.schedules.create(general.id, "party", START, END)).id
    await api.forums.create_thread(general.id, "first", "words")
    thread = (await api.forums.threads(general.id)).threads[0].thread_info.thread_id
    dms = sim.dms("Alice").conversation_id
    guild = general.guild_id
    return World(sim, api, guild, general.id, voice, alice, bob, message, role, schedule, thread, dms)


class Case(NamedTuple):
    """A call, and what has to arrive; `{names}` in the path and the body are fields of `World`."""

    call: Callable[[World], Awaitable[Any]]
    request: str
    query: dict[str, str] | None = None
    body: object = None
    check: Callable[[World, Any], object] = lambda _, answer: answer is None


ARRIVES = {
    "get_guild": Case(
        lambda w: w.api.guilds.get(w.guild),
        "GET /guilds/{guild}",
        check=lambda w, a: (a.id, a.member_count) == (w.guild, 4),
    ),
    "get_message_setting": Case(
        lambda w: w.api.guilds.message_setting(w.guild),
        "GET /guilds/{guild}/message/setting",
        check=lambda w, a: a.disable_push_msg is False and w.channel in a.channel_ids and a.channel_push_max_num == 20,
    ),
    "list_my_guilds": Case(
        lambda w: w.api.users.guilds(after="1", limit=2),
        "GET /users/@me/guilds",
        {"after": "1", "limit": "2"},
        check=lambda w, a: [guild.id for guild in a] == [w.guild],
    ),
    "list_channels": Case(
        lambda w: w.api.channels.of_guild(w.guild),
        "GET /guilds/{guild}/channels",
        check=lambda w, a: {channel.id for channel in a} == {w.channel, w.voice},
    ),
    "get_channel": Case(
        lambda w: w.api.channels.get(w.voice),
        "GET /channels/{voice}",
        check=lambda w, a: (a.type, a.permissions) == (ChannelType.VOICE, Permissions(7)),
    ),
    "create_channel": Case(
        lambda w: w.api.channels.create(
            w.guild,
            "news",
            sub_type=ChannelSubType.CHAT,
            position=0,
            parent_id="",
            private_type=PrivateType.ADMINS_AND_NAMED,
            private_user_ids=(w.alice,),
            speak_permission=SpeakPermission.EVERYBODY,
            application_id="",
        ),
        "POST /guilds/{guild}/channels",
        body={
            "name": "news",
            "type": 0,
            "sub_type": 0,
            "position": 0,
            "parent_id": "",
            "private_type": 2,
            "private_user_ids": ["{alice}"],
            "speak_permission": 1,
            "application_id": "",
        },
        check=lambda w, a: (a.name, a.private_type) == ("news", PrivateType.ADMINS_AND_NAMED),
    ),
    "modify_channel": Case(
        lambda w: w.api.channels.modify(
            w.channel,
            name="new",
            position=0,
            parent_id="",
            private_type=PrivateType.PUBLIC,
            speak_permission=SpeakPermission.ADMINS_AND_NAMED,
        ),
        "PATCH /channels/{channel}",
        body={"name": "new", "position": 0, "parent_id": "", "private_type": 0, "speak_permission": 2},
        check=lambda w, a: (a.id, a.name, a.position) == (w.channel, "new", 0),
    ),
    "delete_channel": Case(lambda w: w.api.channels.delete(w.voice), "DELETE /channels/{voice}"),
    "list_voice_members": Case(
        lambda w: w.api.channels.voice_members(w.voice),
        "GET /channels/{voice}/voice/members",
        check=lambda _, a: a == [],
    ),
    "get_channel_online_nums": Case(
        lambda w: w.api.channels.online_nums(w.voice), "GET /channels/{voice}/online_nums", check=lambda _, a: a == 0
    ),
    "send_channel_setting_guide": Case(
        lambda w: w.api.channels.setting_guide(w.channel, [w.alice, w.bob]),
        "POST /channels/{channel}/settingguide",
        body={"content": "<@{alice}><@{bob}>"},
        check=lambda w, a: a.channel_id == w.channel,
    ),
    "send_dms_setting_guide": Case(
        lambda w: w.api.direct_messages.setting_guide(w.dms, w.guild),
        "POST /dms/{dms}/settingguide",
        body={"setting_guide": {"guild_id": "{guild}"}},
        check=lambda w, a: a.guild_id == w.dms,
    ),
    "delete_channel_message": Case(
        lambda w: w.api.channels.recall(w.channel, w.message, hide_tip=False),
        "DELETE /channels/{channel}/messages/{message}",
        {"hidetip": "false"},
    ),
    "list_channel_messages": Case(
        lambda w: w.api.channels.messages(w.channel, around=w.message, limit=3),
        "GET /channels/{channel}/messages",
        {"around": "{message}", "limit": "3"},
        check=lambda w, a: [message.id for message in a] == [w.message],
    ),
    "list_guild_members": Case(
        lambda w: w.api.members.of_guild(w.guild, after="5", limit=2),
        "GET /guilds/{guild}/members",
        {"after": "5", "limit": "2"},
        check=lambda w, a: len(a) == 2 and all(member.joined_at for member in a),
    ),
    "list_guild_role_members": Case(
        lambda w: w.api.members.of_role(w.guild, "4"),
        "GET /guilds/{guild}/roles/4/members",
        {"start_index": "0", "limit": "400"},
        check=lambda w, a: ([member.nick for member in a.data], a.next) == (["Olga"], "0"),
    ),
    "get_guild_member": Case(
        lambda w: w.api.members.get(w.guild, w.alice),
        "GET /guilds/{guild}/members/{alice}",
        check=lambda w, a: (a.user.id, a.roles) == (w.alice, ("1",)),
    ),
    "delete_guild_member": Case(
        lambda w: w.api.members.remove(w.guild, w.alice, add_blacklist=False, delete_history_msg_days=0),
        "DELETE /guilds/{guild}/members/{alice}",
        body={"add_blacklist": False, "delete_history_msg_days": 0},
    ),
    "list_guild_roles": Case(
        lambda w: w.api.roles.of_guild(w.guild),
        "GET /guilds/{guild}/roles",
        check=lambda w, a: ([role.id for role in a.roles], a.role_num_limit) == (["1", "2", "4", "5", w.role], 30),
    ),
    "create_guild_role": Case(
        lambda w: w.api.roles.create(w.guild, name="new", color=0, hoist=False),
        "POST /guilds/{guild}/roles",
        body={"name": "new", "color": 0, "hoist": 0},
        check=lambda w, a: (a.role.name, a.role.color, a.role.hoist) == ("new", 0, False),
    ),
    "modify_guild_role": Case(
        lambda w: w.api.roles.modify(w.guild, w.role, hoist=True),
        "PATCH /guilds/{guild}/roles/{role}",
        body={"hoist": 1},
        check=lambda w, a: (a.role.name, a.role.hoist) == ("readers", True),
    ),
    "delete_guild_role": Case(lambda w: w.api.roles.delete(w.guild, w.role), "DELETE /guilds/{guild}/roles/{role}"),
    "add_guild_member_role": Case(
        lambda w: w.api.roles.add_member(w.guild, w.alice, w.role), "PUT /guilds/{guild}/members/{alice}/roles/{role}"
    ),
    "remove_guild_member_role": Case(
        lambda w: w.api.roles.remove_member(w.guild, w.alice, "5", channel_id=w.channel),
        "DELETE /guilds/{guild}/members/{alice}/roles/5",
        body={"channel": {"id": "{channel}"}},
    ),
    "get_channel_permissions": Case(
        lambda w: w.api.permissions.of_member(w.channel, w.alice),
        "GET /channels/{channel}/members/{alice}/permissions",
        check=lambda w, a: (a.user_id, a.permissions) == (w.alice, Permissions.VIEW | Permissions.SPEAK),
    ),
    "modify_channel_permissions": Case(
        lambda w: w.api.permissions.modify_member(
            w.channel, w.alice, add=Permissions.LIVE, remove=Permissions.VIEW | Permissions.SPEAK
        ),
        "PUT /channels/{channel}/members/{alice}/permissions",
        body={"add": "8", "remove": "5"},
    ),
    "get_channel_role_permissions": Case(
        lambda w: w.api.permissions.of_role(w.channel, w.role),
        "GET /channels/{channel}/roles/{role}/permissions",
        check=lambda w, a: (a.role_id, a.permissions) == (w.role, Permissions.VIEW | Permissions.SPEAK),
    ),
    "modify_channel_role_permissions": Case(
        lambda w: w.api.permissions.modify_role(w.channel, w.role, add=Permissions(0)),
        "PUT /channels/{channel}/roles/{role}/permissions",
        body={"add": "0"},
    ),
    "mute_guild": Case(
        lambda w: w.api.mute.guild(w.guild, seconds=0), "PATCH /guilds/{guild}/mute", body={"mute_seconds": "0"}
    ),
    "mute_guild_members": Case(
        lambda w: w.api.mute.members(w.guild, [w.alice, "1"], until=START),
        "PATCH /guilds/{guild}/mute",
        body={"mute_end_timestamp": str(int(START.timestamp())), "user_ids": ["{alice}", "1"]},
        check=lambda w, a: a == [w.alice],
    ),
    "mute_guild_member": Case(
        lambda w: w.api.mute.member(w.guild, w.alice, seconds=60),
        "PATCH /guilds/{guild}/members/{alice}/mute",
        body={"mute_seconds": "60"},
    ),
    "create_guild_announces": Case(
        lambda w: w.api.announces.create(w.guild, w.channel, w.message),
        "POST /guilds/{guild}/announces",
        body={"channel_id": "{channel}", "message_id": "{message}"},
        check=lambda w, a: a.message_id == w.message,
    ),
    "delete_guild_announces": Case(lambda w: w.api.announces.delete(w.guild), "DELETE /guilds/{guild}/announces/all"),
    "create_channel_announces": Case(
        lambda w: w.api.announces.create_in_channel(w.channel, w.message),
        "POST /channels/{channel}/announces",
        body={"message_id": "{message}"},
        check=lambda w, a: (a.channel_id, a.message_id) == (w.channel, w.message),
    ),
    "delete_channel_announces": Case(
        lambda w: w.api.announces.delete_in_channel(w.channel), "DELETE /channels/{channel}/announces/all"
    ),
    "add_pin": Case(
        lambda w: w.api.pins.add(w.channel, w.message),
        "PUT /channels/{channel}/pins/{message}",
        check=lambda w, a: a.message_ids == (w.message,),
    ),
    "delete_pin": Case(lambda w: w.api.pins.delete(w.channel), "DELETE /channels/{channel}/pins/all"),
    "list_pins": Case(
        lambda w: w.api.pins.of_channel(w.channel),
        "GET /channels/{channel}/pins",
        check=lambda _, a: a.message_ids == (),
    ),
    "list_schedules": Case(
        lambda w: w.api.schedules.of_channel(w.channel, since=START),
        "GET /channels/{channel}/schedules",
        {"since": MS[0]},
        check=lambda w, a: [schedule.id for schedule in a] == [w.schedule],
    ),
    "get_schedule": Case(
        lambda w: w.api.schedules.get(w.channel, w.schedule),
        "GET /channels/{channel}/schedules/{schedule}",
        check=lambda _, a: (a.start_timestamp, a.end_timestamp, a.remind_type) == (START, END, RemindType.NONE),
    ),
    "create_schedule": Case(
        lambda w: w.api.schedules.create(
            w.channel, "party", START, END, description="", jump_channel_id="0", remind=RemindType.NONE
        ),
        "POST /channels/{channel}/schedules",
        body={
            "schedule": {
                "name": "party",
                "start_timestamp": MS[0],
                "end_timestamp": MS[1],
                "description": "",
                "jump_channel_id": "0",
                "remind_type": "0",
            }
        },
        check=lambda _, a: a.id and a.creator.user.bot,
    ),
    "modify_schedule": Case(
        lambda w: w.api.schedules.modify(w.channel, w.schedule, "late", START, END, remind=RemindType.MINUTES_5),
        "PATCH /channels/{channel}/schedules/{schedule}",
        body={
            "schedule": {"name": "late", "start_timestamp": MS[0], "end_timestamp": MS[1], "remind_type": "2"},
        },
        check=lambda w, a: (a.id, a.name, a.remind_type) == (w.schedule, "late", RemindType.MINUTES_5),
    ),
    "delete_schedule": Case(
        lambda w: w.api.schedules.delete(w.channel, w.schedule), "DELETE /channels/{channel}/schedules/{schedule}"
    ),
    "control_audio": Case(
        lambda w: w.api.audio.control(
            w.voice, AudioControl(status=AudioStatus.START, audio_url="https://x/a.mp3", text="")
        ),
        "POST /channels/{voice}/audio",
        body={"status": 0, "audio_url": "https://x/a.mp3", "text": ""},
    ),
    "mic_on": Case(lambda w: w.api.audio.mic_on(w.voice), "PUT /channels/{voice}/mic"),
    "mic_off": Case(lambda w: w.api.audio.mic_off(w.voice), "DELETE /channels/{voice}/mic"),
    "add_reaction": Case(
        lambda w: w.api.reactions.add(w.channel, w.message, PARTY),
        "PUT /channels/{channel}/messages/{message}/reactions/2/127881",
    ),
    "list_reaction_users": Case(
        lambda w: w.api.reactions.users(w.channel, w.message, Emoji.face(4), limit=50),
        "GET /channels/{channel}/messages/{message}/reactions/1/4",
        {"limit": "50"},
        check=lambda _, a: (a.users, a.is_end) == ((), True),
    ),
    "list_api_permissions": Case(
        lambda w: w.api.api_permissions.of_guild(w.guild),
        "GET /guilds/{guild}/api_permission",
        check=lambda _, a: {api.path: api.auth_status for api in a}["/guilds/{guild_id}/members"] is True,
    ),
    "list_threads": Case(
        lambda w: w.api.forums.threads(w.channel),
        "GET /channels/{channel}/threads",
        check=lambda w, a: a.is_finish and a.threads[0].thread_info.thread_id == w.thread,
    ),
    "get_thread": Case(
        lambda w: w.api.forums.thread(w.channel, w.thread),
        "GET /channels/{channel}/threads/{thread}",
        check=lambda _, a: (a.thread_info.title.text, a.thread_info.content.text) == ("first", "words"),
    ),
    "create_thread": Case(
        lambda w: w.api.forums.create_thread(w.channel, "t", "# c", ThreadFormat.MARKDOWN),
        "PUT /channels/{channel}/threads",
        body={"title": "t", "content": "# c", "format": 3},
        check=lambda _, a: a.task_id and a.create_time.tzinfo,
    ),
    "delete_thread": Case(
        lambda w: w.api.forums.delete_thread(w.channel, w.thread), "DELETE /channels/{channel}/threads/{thread}"
    ),
}


def filled(value: object, world: World) -> Any:
    """Return `value` with the {names} of `world` filled in."""
    text = json.dumps(value)
    for name, word in world._asdict().items():
        text = text.replace(f"{{{name}}}", str(word))
    return json.loads(text)


@pytest.mark.parametrize("case", ARRIVES.values(), ids=ARRIVES)
async def test_request_and_answer(world: World, case: Case) -> None:
    answer = await case.call(world)
    assert case.check(world, answer), answer
    seen = world.sim.calls[-1]
    assert f"{seen['method']} {seen['path']}" == filled(case.request, world)
    assert dict(parse_qsl(seen["query"])) == filled(case.query or {}, world)
    assert (json.loads(seen["request"]) if seen["request"] else None) == filled(case.body, world)


# What more than one call shows


async def test_a_reaction_is_set_once_and_taken_away(world: World) -> None:
    reactions, place = world.api.reactions, (world.channel, world.message, PARTY)
    await reactions.add(*place)
    with pytest.raises(ApiError) as refused:
        await reactions.add(*place)
    assert refused.value.code == 620003
    assert [user.username async for user in reactions.iter_users(*place)] == ["bot"]
    await reactions.delete(*place)
    assert world.sim.calls[-1]["method"] == "DELETE"
    with pytest.raises(NotFound):
        await reactions.delete(*place)


async def test_recommended_channels_replace_an_announced_message(world: World) -> None:
    await world.api.announces.create(world.guild, world.channel, world.message)
    channels = [RecommendChannel(channel_id=world.channel, introduce="hello")]
    announced = await world.api.announces.recommend(world.guild, channels)
    assert json.loads(world.sim.calls[-1]["request"]) == {
        "recommend_channels": [{"channel_id": world.channel, "introduce": "hello"}]
    }
    assert (announced.message_id, announced.recommend_channels) == ("", tuple(channels))
    with pytest.raises(NotFound):
        await world.api.announces.delete(world.guild, world.message)


async def test_a_link_to_grant_an_interface() -> None:
    async with Simulator() as public, Api(public.credentials, endpoints=public.endpoints) as api:
        channel = public.channel("general")
        wanted = next(each for each in await api.api_permissions.of_guild(channel.guild_id) if not each.auth_status)
        named = APIPermissionDemandIdentify(path=wanted.path, method=wanted.method)
        for _ in range(3):
            demand = await api.api_permissions.demand(channel.guild_id, channel.id, named, "to greet")
        assert demand.api_identify == named
        assert json.loads(public.calls[-1]["request"]) == {
            "channel_id": channel.id,
            "api_identify": {"path": wanted.path, "method": wanted.method},
            "desc": "to greet",
        }
        with pytest.raises(QuotaExceeded):
            await api.api_permissions.demand(channel.guild_id, channel.id, named, "again")


async def test_a_comment_names_the_author_of_the_thread(world: World) -> None:
    author = (await world.api.forums.thread(world.channel, world.thread)).author_id
    task = await world.api.forums.comment(world.channel, world.thread, author, "yes", image="")
    assert task.task_id
    assert world.sim.calls[-1]["path"].endswith(f"/threads/{world.thread}/comment")
    assert json.loads(world.sim.calls[-1]["request"]) == {"thread_author": author, "content": "yes", "image": ""}


async def test_rich_text_goes_as_json(world: World) -> None:
    await world.api.forums.create_thread(world.channel, "t", RichText.of("one\ntwo"))
    assert json.loads(world.sim.calls[-1]["request"])["format"] == 4
    threads = [thread async for thread in world.api.forums.iter_threads(world.channel)]
    assert threads[-1].thread_info.content.text == "one\ntwo"


async def test_playing_is_a_start(world: World) -> None:
    await world.api.audio.play(world.voice, "https://x/a.mp3")
    assert json.loads(world.sim.calls[-1]["request"]) == {"status": 0, "audio_url": "https://x/a.mp3"}


async def test_a_role_is_given_and_its_members_are_listed(world: World) -> None:
    await world.api.roles.add_member(world.guild, world.alice, world.role)
    assert [member.nick async for member in world.api.members.iter_of_role(world.guild, world.role)] == ["Alice"]
    await world.api.roles.remove_member(world.guild, world.alice, world.role)
    assert [member async for member in world.api.members.iter_of_role(world.guild, world.role)] == []


async def test_rights_are_given_and_taken(world: World) -> None:
    await world.api.permissions.modify_member(
        world.channel, world.bob, add=Permissions.LIVE | Permissions.SPEAK, remove=Permissions.SPEAK
    )
    rights = await world.api.permissions.of_member(world.channel, world.bob)
    assert rights.permissions == Permissions.VIEW | Permissions.LIVE


# Pages


async def test_all_members_come_once(world: World) -> None:
    place = world.sim.channel("general")
    for number in range(900):
        place.member(f"member {number}")
    nicks = [member.nick async for member in world.api.members.iter_of_guild(world.guild)]
    assert len(nicks) == len(set(nicks)) == 903
    pages = [call for call in world.sim.calls if call["path"] == f"/guilds/{world.guild}/members"]
    assert len(pages) == 4
    everybody = [member async for member in world.api.members.iter_of_role(world.guild, "1")]
    assert len(everybody) == 903


async def test_all_guilds_come_once(world: World) -> None:
    for number in range(150):
        world.sim.channel("general", guild=f"guild {number}")
    ids = [guild.id async for guild in world.api.users.iter_guilds()]
    assert len(ids) == len(set(ids)) == 151


async def test_messages_forwards_and_backwards(world: World) -> None:
    more = [(await world.api.channels.send_message(world.channel, f"{number}")).id for number in range(45)]
    sent = [world.message, *more]
    after = [message.id async for message in world.api.channels.iter_messages(world.channel, after=world.message)]
    assert after == sent[1:]
    before = [message.id async for message in world.api.channels.iter_messages(world.channel, before=sent[-1])]
    assert before == sent[-2::-1]
    everything = [message.id async for message in world.api.channels.iter_messages(world.channel)]
    assert everything == sent[::-1]


# Refusals


async def test_who_is_no_administrator_changes_nothing(world: World) -> None:
    world.sim.guild().bot_is_admin = False
    with pytest.raises(PermissionMissing) as refused:
        await world.api.mute.guild(world.guild, seconds=60)
    assert refused.value.code == 11282
    assert refused.value.hint is not None
    assert refused.value.trace_id == world.sim.calls[-1]["trace_id"]


async def test_a_public_bot_lists_no_members() -> None:
    async with Simulator() as public, Api(public.credentials, endpoints=public.endpoints) as api:
        with pytest.raises(PermissionMissing):
            await api.members.of_guild(public.channel("general").guild_id)


REFUSED: dict[str, tuple[Callable[[World], Awaitable[object]], type[ApiError], int]] = {
    "guild": (lambda w: w.api.guilds.get("1"), NotFound, 10004),
    "channel": (lambda w: w.api.channels.get("1"), NotFound, 10003),
    "member": (lambda w: w.api.members.get(w.guild, "1"), NotFound, 10001),
    "owner": (lambda w: w.api.members.remove(w.guild, owner(w)), PermissionMissing, 11282),
    "role": (lambda w: w.api.roles.modify(w.guild, "99", name="x"), NotFound, 12001),
    "text channel": (lambda w: w.api.channels.voice_members(w.channel), ApiError, 50001),
    "muted stranger": (lambda w: w.api.mute.member(w.guild, "1", seconds=1), NotFound, 502003),
    "pin": (lambda w: w.api.pins.add(w.channel, "nothing"), NotFound, 501008),
    "announced elsewhere": (lambda w: w.api.announces.create(w.guild, w.voice, w.message), NotFound, 501010),
    "schedule": (lambda w: w.api.schedules.get(w.channel, "1"), NotFound, 302011),
    "past": (
        lambda w: w.api.schedules.create(w.channel, "x", START - timedelta(days=9), END - timedelta(days=9)),
        ApiError,
        302015,
    ),
    "thread": (lambda w: w.api.forums.thread(w.channel, "1"), NotFound, 503012),
}


def owner(world: World) -> str:
    return world.sim.channel("general").member("Olga").openid


@pytest.mark.parametrize(("call", "error", "code"), REFUSED.values(), ids=REFUSED)
async def test_refusals(
    world: World, call: Callable[[World], Awaitable[object]], error: type[ApiError], code: int
) -> None:
    with pytest.raises(error) as refused:
        await call(world)
    assert refused.value.code == code


async def test_20_pins_and_10_schedules_are_the_limit(world: World) -> None:
    for _ in range(20):
        await world.api.pins.add(world.channel, (await world.api.channels.send_message(world.channel, "x")).id)
    with pytest.raises(QuotaExceeded):
        await world.api.pins.add(world.channel, world.message)
    for _ in range(9):
        await world.api.schedules.create(world.channel, "x", START, END)
    with pytest.raises(QuotaExceeded):
        await world.api.schedules.create(world.channel, "x", START, END)


NAIVE = START.replace(tzinfo=None)
BAD: Sequence[tuple[Callable[[Api], Awaitable[object]], str]] = (
    (lambda api: api.members.remove("1", "2", delete_history_msg_days=5), "0, 3, 7, 15, 30, -1"),
    (lambda api: api.members.of_guild("1", limit=0), "1 to 400"),
    (lambda api: api.members.of_role("1", "2", limit=401), "1 to 400"),
    (lambda api: api.users.guilds(limit=101), "1 to 100"),
    (lambda api: api.reactions.users("1", "2", PARTY, limit=51), "1 to 50"),
    (lambda api: api.channels.messages("1", limit=21), "1 to 20"),
    (lambda api: api.channels.messages("1", before="1", after="2"), "at most one"),
    (lambda api: api.channels.create("1", ""), "name is empty"),
    (lambda api: api.channels.create("1", "x", ChannelType.CATEGORY, position=1), "2 or more"),
    (lambda api: api.channels.modify("1"), "at least one of name"),
    (lambda api: api.channels.setting_guide("1", []), "content is empty"),
    (lambda api: api.direct_messages.setting_guide("1", ""), "guild_id is empty"),
    (lambda api: api.guilds.get(""), "not an id"),
    (lambda api: api.roles.create("1"), "at least one of name"),
    (lambda api: api.roles.modify("1", "2", color=1 << 32), "ARGB"),
    (lambda api: api.roles.add_member("1", "2", "5"), "needs a channel_id"),
    (lambda api: api.roles.remove_member("1", "2", "6", channel_id="3"), "no other"),
    (lambda api: api.permissions.modify_member("1", "2"), "at least one of add"),
    (lambda api: api.permissions.modify_role("1", "2", add=Permissions.MANAGE), "MANAGE"),
    (lambda api: api.mute.guild("1"), "exactly one"),
    (lambda api: api.mute.guild("1", seconds=1, until=START), "exactly one"),
    (lambda api: api.mute.member("1", "2", seconds=-1), "0 .* or more"),
    (lambda api: api.mute.member("1", "2", until=NAIVE), "time zone"),
    (lambda api: api.mute.members("1", [], seconds=1), "user_ids is empty"),
    (lambda api: api.mute.members("1", [""], seconds=1), "user_id is empty"),
    (lambda api: api.announces.create("1", "2", ""), "message_id is empty"),
    (lambda api: api.announces.create_in_channel("1", ""), "message_id is empty"),
    (lambda api: api.announces.recommend("1", []), "1 to 3"),
    (lambda api: api.announces.recommend("1", [RecommendChannel(channel_id="", introduce="x")]), "channel_id is empty"),
    (lambda api: api.schedules.create("1", "", START, END), "name is empty"),
    (lambda api: api.schedules.create("1", "x", END, START), "after its start"),
    (lambda api: api.schedules.modify("1", "2", "x", START, START + timedelta(days=8)), "7 days"),
    (lambda api: api.schedules.create("1", "x", NAIVE, END), "time zone"),
    (lambda api: api.schedules.of_channel("1", since=NAIVE), "time zone"),
    (lambda api: api.forums.create_thread("1", "", "x"), "title is empty"),
    (lambda api: api.forums.create_thread("1", "x", ""), "content is empty"),
    (lambda api: api.forums.comment("1", "2", "", "x"), "thread_author is empty"),
    (lambda api: api.audio.play("1", ""), "audio_url"),
    (
        lambda api: api.api_permissions.demand("1", "2", APIPermissionDemandIdentify(path="", method="GET"), "x"),
        "path is empty",
    ),
)


@pytest.mark.parametrize(("call", "words"), BAD, ids=[words for _, words in BAD])
async def test_bad_input_fails_before_any_request(
    sim: Simulator, api: Api, call: Callable[[Api], Awaitable[object]], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await call(api)
    assert sim.calls == []


def test_only_a_start_has_a_text() -> None:
    with pytest.raises(ConfigError, match="only a start"):
        AudioControl(status=AudioStatus.PAUSE, text="")


# Where the platform departs from its own tables


def test_there_are_no_schedules() -> None:
    assert ROUTES["list_schedules"].decode(b"null") == ROUTES["list_schedules"].decode(b"[]") == []


@pytest.mark.parametrize("moment", ['"1642076453000"', "1642076453000", "1642076453", '"2022-01-13T20:20:53+08:00"'])
def test_schedules_start_at_a_moment(moment: str) -> None:
    schedule = ROUTES["get_schedule"].decode(f'{{"id": "1", "start_timestamp": {moment}, "creator": null}}'.encode())
    assert schedule.start_timestamp == datetime(2022, 1, 13, 12, 20, 53, tzinfo=UTC)
    assert schedule.creator is None


@pytest.mark.parametrize("flag", [b'"true"', b"true", b'"1"', b"1"])
def test_flags_of_the_message_setting(flag: bytes) -> None:
    assert ROUTES["get_message_setting"].decode(b'{"disable_push_msg": %s}' % flag).disable_push_msg is True


def test_an_empty_object_is_nobody_online() -> None:
    assert ROUTES["get_channel_online_nums"].decode(b"{}") == 0


def test_numbers_as_text_and_text_as_numbers() -> None:
    roles = ROUTES["list_guild_roles"].decode(
        b'{"roles": [{"id": 2, "hoist": "1", "color": "7"}], "role_num_limit": "30"}'
    )
    assert (roles.roles[0].id, roles.roles[0].hoist, roles.roles[0].color, roles.role_num_limit) == ("2", True, 7, 30)
    thread = {"guild_id": 1, "channel_id": 2, "author_id": 3, "thread_info": {"thread_id": "t"}}
    assert ROUTES["get_thread"].decode(json.dumps({"thread": thread}).encode()).author_id == "3"
    assert ROUTES["get_channel"].decode(b'{"id": "1", "permissions": "13"}').permissions == Permissions(13)


def test_an_unknown_kind_of_channel_survives() -> None:
    assert ROUTES["get_channel"].decode(b'{"id": "1", "type": 10099}').type == 10099


def test_what_would_be_published_twice_is_not_repeated() -> None:
    assert ROUTES["create_thread"].repeatable is False


@pytest.mark.parametrize(("emoji", "number"), [("🎉", "127881"), ("❤️", "10084"), ("👨‍👩‍👧", "👨‍👩‍👧")])
def test_emoji_are_named_by_their_code_point_where_they_have_one(emoji: str, number: str) -> None:
    assert Emoji.of(emoji) == Emoji(id=number, type=EmojiType.EMOJI)
