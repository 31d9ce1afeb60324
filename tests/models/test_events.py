import json
import pickle
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct
from msgspec import json as msgspec_json

from qqbot.errors import ConfigError
from qqbot.models import events
from qqbot.models.events import (
    ALIASES,
    EVENTS,
    Event,
    FriendAdd,
    GroupAtMessageCreate,
    GroupMemberRemove,
    GroupMessageEvent,
    InteractionCreate,
    MessageCreate,
    MessageEvent,
    Ready,
    Replyable,
    Resumed,
    UnknownEvent,
    decode_event,
    event,
)
from qqbot.models.intents import PRIVATE_ONLY, Intents
from qqbot.models.interactions import InteractionType
from qqbot.models.reactions import ReactionTargetType
from qqbot.models.targets import ReplyTo, Scene, Target
from tests.markdown import ROOT
from tests.models.samples import (
    C2C_MESSAGE,
    GROUP,
    GROUP_MESSAGE,
    GUILD_MESSAGE,
    OPENID,
    REACTION,
    ROBOT,
    SAMPLES,
    THREAD,
    wire,
)

TABLES = Path(events.__file__).parents[1] / "simulator" / "wire" / "data"
BEIJING = timezone(timedelta(hours=8))


def surprises_of(name: str, data: object) -> tuple[Event, list[str]]:
    heard: list[str] = []
    found = decode_event(name, wire(data), lambda _, path: heard.append(path))
    return found, heard


@pytest.mark.parametrize("name", SAMPLES)
def test_every_event_is_decoded_from_its_documented_form_without_surprise(name: str) -> None:
    found, heard = surprises_of(name, SAMPLES[name])
    assert type(found) is EVENTS[name]
    assert heard == []
    assert pickle.loads(pickle.dumps(found)) == found


def test_each_event_has_a_sample_and_the_camel_case_of_its_name() -> None:
    assert set(EVENTS) == set(SAMPLES)
    for name, kind in EVENTS.items():
        words = name.split("_")
        assert kind.__name__ == "".join(word if word == "C2C" else word.capitalize() for word in words)
        assert kind.wire_name == name


def test_intents_and_reply_rules_agree_with_the_protocol_tables() -> None:
    documented = {row["type"]: row for row in json.loads((TABLES / "events.json").read_text())}
    assert set(EVENTS) == set(documented)
    for name, kind in EVENTS.items():
        row = documented[name]
        expected = 0 if row["intent_bit"] is None else 1 << row["intent_bit"]
        if name == "GROUP_JOIN_REQUEST":  # sources disagree: both
            expected |= Intents.GROUP_AND_C2C_EVENT
        assert Intents.of(name) == Intents.of(kind) == expected, name
        assert issubclass(kind, Replyable) == (row["passive_reply"] is not None), name
        if issubclass(kind, Replyable):
            assert issubclass(kind, MessageEvent) == (row["passive_reply"]["by"] == "msg_id")
    bits = {row["name"]: row["value"] for row in json.loads((TABLES / "codes.json").read_text())["intents"]}
    assert {flag.name: flag.value for flag in Intents} == bits


def row(kind: type[Event]) -> list[str]:
    """What the page says of an event beside the words: its class, bases, intents, and how it is answered."""
    bases = [base.__name__ for base in kind.__mro__[1:] if issubclass(base, Event) and base is not Event]
    intents = [intent.name or "" for intent in Intents if intent in Intents.of(kind)]
    answered = "by event id" if issubclass(kind, Replyable) else "not possible"
    return [
        f"`{kind.__name__}`",
        ", ".join(f"`{name}`" for name in bases),
        ", ".join(f"`{name}`" for name in intents) or "none",
        "to the message" if issubclass(kind, MessageEvent) else answered,
    ]


def test_the_page_of_events_has_a_row_for_each() -> None:
    page = (ROOT / "docs" / "reference" / "event-fields.md").read_text("utf-8")
    overview = page.partition("## All events")[2].partition("## Each event")[0]
    table = re.findall(r"^\| \[(`\w+`)\]\(#\w+\) (\|.*) \|$", overview, re.MULTILINE)
    rows = [[name, *(cell.strip() for cell in rest.split("|")[1:])] for name, rest in table]
    assert sorted([name, *rest] for name, _, *rest in rows) == sorted(row(kind) for kind in EVENTS.values())


def test_a_base_class_asks_for_no_private_intent() -> None:
    assert Intents.of(MessageEvent) == (
        Intents.GROUP_AND_C2C_EVENT | Intents.PUBLIC_GUILD_MESSAGES | Intents.DIRECT_MESSAGE
    )
    assert Intents.of(MessageCreate) == Intents.GUILD_MESSAGES
    assert Intents.of(MessageCreate) & PRIVATE_ONLY
    assert Intents.of(GroupMessageEvent, "INTERACTION_CREATE") == (Intents.GROUP_AND_C2C_EVENT | Intents.INTERACTION)
    assert Intents.of(events.MessageDeleteNotice) == Intents.PUBLIC_GUILD_MESSAGES | Intents.DIRECT_MESSAGE
    assert Intents.of(Event, UnknownEvent, "NEVER_HEARD_OF") == 0


def test_a_base_class_of_private_events_alone_asks_for_their_intent() -> None:
    for kind in (events.ForumNotice, events.ForumThreadNotice, events.ForumPostNotice, events.ForumReplyNotice):
        assert Intents.of(kind) == Intents.FORUMS_EVENT
    assert Intents.of(events.ForumNotice, MessageEvent) & PRIVATE_ONLY == Intents.FORUMS_EVENT
    assert Intents.of(events.OpenForumNotice) == Intents.OPEN_FORUM_EVENT


@pytest.mark.parametrize(
    ("name", "ordering_key", "target", "by_message"),
    [
        ("GROUP_AT_MESSAGE_CREATE", f"group:{GROUP}", Target(Scene.GROUP, GROUP), True),
        ("GROUP_MESSAGE_CREATE", f"group:{GROUP}", Target(Scene.GROUP, GROUP), True),
        ("C2C_MESSAGE_CREATE", f"c2c:{OPENID}", Target(Scene.C2C, OPENID), True),
        ("AT_MESSAGE_CREATE", "channel:100010", Target(Scene.CHANNEL, "100010"), True),
        ("MESSAGE_CREATE", "channel:100010", Target(Scene.CHANNEL, "100010"), True),
        ("DIRECT_MESSAGE_CREATE", "dms:18700000000001", Target(Scene.DMS, "18700000000001"), True),
        ("INTERACTION_CREATE", f"interaction:group:{GROUP}", Target(Scene.GROUP, GROUP), False),
        ("FRIEND_ADD", f"c2c:{OPENID}", Target(Scene.C2C, OPENID), False),
        ("C2C_MSG_RECEIVE", f"c2c:{OPENID}", Target(Scene.C2C, OPENID), False),
        ("GROUP_ADD_ROBOT", f"group:{GROUP}", Target(Scene.GROUP, GROUP), False),
        ("GROUP_MSG_RECEIVE", f"group:{GROUP}", Target(Scene.GROUP, GROUP), False),
        *(
            (name, "channel:100010", Target(Scene.CHANNEL, "100010"), False)
            for name in (
                *("MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "FORUM_THREAD_CREATE", "FORUM_THREAD_UPDATE"),
                *("FORUM_THREAD_DELETE", "FORUM_POST_CREATE", "FORUM_POST_DELETE", "FORUM_REPLY_CREATE"),
                "FORUM_REPLY_DELETE",
            )
        ),
    ],
)
def test_lane_and_reply_address(name: str, ordering_key: str, target: Target, by_message: bool) -> None:
    found = decode_event(name, wire(SAMPLES[name]))
    assert isinstance(found, Replyable)
    assert (found.ordering_key, found.reply_target()) == (ordering_key, target)
    if by_message:
        assert isinstance(found, MessageEvent)
        assert found.reply_reference("X:1") == found.reply_reference(None) == ReplyTo(msg_id=found.id)
        return
    assert found.reply_reference("X:1") == ReplyTo(event_id="X:1")
    with pytest.raises(ConfigError, match="active message"):
        found.reply_reference(None)


@pytest.mark.parametrize(
    ("name", "ordering_key"),
    [
        ("READY", ""),
        ("RESUMED", ""),
        ("NEW", ""),
        ("GROUP_DEL_ROBOT", f"group:{GROUP}"),
        ("GROUP_MSG_REJECT", f"group:{GROUP}"),
        ("GROUP_MEMBER_ADD", f"group:{GROUP}"),
        ("GROUP_MEMBER_REMOVE", f"group:{GROUP}"),
        ("GROUP_JOIN_REQUEST", f"group:{GROUP}"),
        ("FRIEND_DEL", f"c2c:{OPENID}"),
        ("C2C_MSG_REJECT", f"c2c:{OPENID}"),
        ("SUBSCRIBE_MESSAGE_STATUS", f"group:{GROUP}"),
        ("ENTER_AIO", f"c2c:{OPENID}"),
        *((f"GUILD_{change}", "guild:18700000000001") for change in ("CREATE", "UPDATE", "DELETE")),
        *((f"CHANNEL_{change}", "channel:100010") for change in ("CREATE", "UPDATE", "DELETE")),
        ("MESSAGE_DELETE", "channel:100010"),
        ("PUBLIC_MESSAGE_DELETE", "channel:100010"),
        ("DIRECT_MESSAGE_DELETE", "dms:18700000000001"),
        ("MESSAGE_AUDIT_PASS", ""),
        ("MESSAGE_AUDIT_REJECT", ""),
        ("FORUM_PUBLISH_AUDIT_RESULT", "channel:100010"),
        *((name, "channel:100010") for name in SAMPLES if name.startswith(("OPEN_FORUM_", "AUDIO_"))),
    ],
)
def test_lane_of_events_that_cannot_be_answered(name: str, ordering_key: str) -> None:
    found = decode_event(name, wire(SAMPLES.get(name, {})))
    assert found.ordering_key == ordering_key
    assert not isinstance(found, Replyable)


@pytest.mark.parametrize(
    ("place", "ordering_key", "target"),
    [
        ({"user_openid": "u"}, "interaction:c2c:u", Target(Scene.C2C, "u")),
        ({"group_openid": "g", "user_openid": "u"}, "interaction:group:g", Target(Scene.GROUP, "g")),
        ({"guild_id": "1", "channel_id": "2"}, "interaction:channel:2", Target(Scene.CHANNEL, "2")),
    ],
)
def test_a_click_has_a_lane_apart_from_the_messages(place: dict[str, str], ordering_key: str, target: Target) -> None:
    found = decode_event("INTERACTION_CREATE", wire({"id": "1", "type": 11, **place}))
    assert isinstance(found, InteractionCreate)
    assert (found.ordering_key, found.reply_target()) == (ordering_key, target)


def test_a_click_without_a_place_is_delivered_but_cannot_be_answered() -> None:
    found = decode_event("INTERACTION_CREATE", wire({"id": "1", "type": 3000}))
    assert isinstance(found, InteractionCreate)
    assert found.ordering_key == found.button_id == found.button_data == ""
    assert (found.type, found.type.name) == (3000, "UNKNOWN_3000")
    with pytest.raises(ConfigError, match="cannot be answered"):
        found.reply_target()


@pytest.mark.parametrize("name", ["GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE"])
def test_a_change_of_a_member_is_answered_in_a_channel_of_ones_choice(name: str) -> None:
    found = decode_event(name, wire(SAMPLES[name]))
    assert isinstance(found, events.GuildMemberNotice)
    assert found.ordering_key == "guild:18700000000001"
    assert found.reply_reference("X:1") == ReplyTo(event_id="X:1")
    with pytest.raises(ConfigError, match=r"belongs to no channel.*api\.channels\.send_message"):
        found.reply_target()


@pytest.mark.parametrize(
    ("name", "data", "ordering_key"),
    [
        ("SUBSCRIBE_MESSAGE_STATUS", {"openid": "u", "result": []}, "c2c:u"),
        ("SUBSCRIBE_MESSAGE_STATUS", {}, ""),
        ("ENTER_AIO", {}, ""),
        ("MESSAGE_DELETE", {"message": {"id": "1"}}, ""),
        ("DIRECT_MESSAGE_DELETE", {"message": {"id": "1"}}, ""),
    ],
)
def test_lane_of_events_whose_place_is_left_out(name: str, data: object, ordering_key: str) -> None:
    found = decode_event(name, wire(data))
    assert type(found) is EVENTS[name]
    assert found.ordering_key == ordering_key


def test_what_a_click_carries() -> None:
    found = decode_event("INTERACTION_CREATE", wire(SAMPLES["INTERACTION_CREATE"]))
    assert isinstance(found, InteractionCreate)
    assert found.type is InteractionType.BUTTON
    assert (found.button_id, found.button_data) == ("1", "vote:yes")


def test_fields_have_python_types() -> None:
    found = decode_event("GROUP_AT_MESSAGE_CREATE", wire(GROUP_MESSAGE))
    assert isinstance(found, GroupAtMessageCreate)
    assert found.timestamp == datetime(2026, 3, 1, 9, 48, 47, tzinfo=BEIJING)
    assert found.author.openid == OPENID
    assert found.mentions[0].is_you
    assert found.ref_idx == "REFIDX_CJ/7YhA=="
    assert found.message_scene.value("ref_msg_idx") == "REFIDX_A=="
    assert found.msg_elements[0].content == "before"
    assert found.ark_data is not None
    assert found.ark_data.fields == {"title": "t", "tags": ["a"]}
    joined = decode_event("FRIEND_ADD", wire(SAMPLES["FRIEND_ADD"]))
    assert isinstance(joined, FriendAdd)
    assert joined.timestamp == datetime(2026, 3, 1, 9, 48, 47, tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("content", "text"),
    [(" /weather", "/weather"), ("<@!42> hi ", "hi"), ("<@42>hi", "hi"), ("<@!7> hi", "<@!7> hi"), ("", "")],
)
def test_text_without_mention(content: str, text: str) -> None:
    found = decode_event("AT_MESSAGE_CREATE", wire(GUILD_MESSAGE | {"content": content}))
    assert isinstance(found, MessageEvent)
    assert found.text_without_mention("42") == text


def test_an_attachment_address_gets_the_scheme_that_the_platform_left_out() -> None:
    found = decode_event("AT_MESSAGE_CREATE", wire(GUILD_MESSAGE))
    assert isinstance(found, MessageEvent)
    assert found.attachments[0].address == "https://gchat.qpic.cn/1/2/0"


def test_a_name_without_a_class_gives_an_unknown_event() -> None:
    assert decode_event("BRAND_NEW", Raw(b'{"a":1}')) == UnknownEvent("BRAND_NEW", b'{"a":1}', None)


def test_an_alias_gives_the_event_of_its_name() -> None:
    assert all(name in EVENTS for name in ALIASES.values())
    found = decode_event("GROUP_MEMBER_QUIT", wire(SAMPLES["GROUP_MEMBER_REMOVE"]))
    assert type(found) is GroupMemberRemove
    assert Intents.of("GROUP_MEMBER_QUIT") == Intents.GROUP_MEMBER_EVENT


@pytest.mark.parametrize("data", ["", None, {}, {"x": 1}])
def test_resumed_takes_whatever_d_is(data: object) -> None:
    assert surprises_of("RESUMED", data) == (Resumed(), [])


def test_a_number_where_an_id_is_expected_becomes_text() -> None:
    found, heard = surprises_of("AT_MESSAGE_CREATE", GUILD_MESSAGE | {"id": 5, "channel_id": 6, "seq_in_channel": 7})
    assert isinstance(found, events.AtMessageCreate)
    assert (found.id, found.channel_id, found.seq_in_channel) == ("5", "6", "7")
    assert sorted(heard) == ["channel_id", "id", "seq_in_channel"]


def test_forum_ids_may_be_numbers() -> None:
    found, heard = surprises_of("FORUM_THREAD_CREATE", THREAD | {"guild_id": 1, "channel_id": 2, "author_id": 3})
    assert isinstance(found, events.ForumThreadCreate)
    assert (found.guild_id, found.channel_id, found.author_id) == ("1", "2", "3")
    assert sorted(heard) == ["author_id", "channel_id", "guild_id"]


def test_text_in_a_forum_is_read_in_each_of_its_forms() -> None:
    rich = decode_event("FORUM_THREAD_CREATE", wire(THREAD))
    assert isinstance(rich, events.ForumThreadCreate)
    assert (rich.thread_info.title.text, rich.thread_info.content.text) == ("a title", "hello a link\n")
    older = THREAD["thread_info"] | {"title": "plain", "content": [{"type": 1, "text_info": {"text": "older"}}]}
    found, heard = surprises_of("FORUM_THREAD_CREATE", THREAD | {"thread_info": older})
    assert isinstance(found, events.ForumThreadCreate)
    assert (found.thread_info.title.text, found.thread_info.content.text) == ("plain", "older")
    assert heard == []


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        (0, ReactionTargetType.MESSAGE),
        ("2", ReactionTargetType.POST),
        ("ReactionTargetType_MSG", ReactionTargetType.MESSAGE),
        ("ReactionTargetType_FEED", ReactionTargetType.THREAD),
        ("ReactionTargetType_COMMNENT", ReactionTargetType.POST),
        ("ReactionTargetType_REPLY", ReactionTargetType.REPLY),
        (9, ReactionTargetType(9)),
    ],
)
def test_what_carries_a_reaction_is_a_number_or_a_word(sent: object, target: ReactionTargetType) -> None:
    found = decode_event("MESSAGE_REACTION_ADD", wire(REACTION | {"target": {"id": "1", "type": sent}}))
    assert isinstance(found, events.MessageReactionAdd)
    assert found.target.type is target or found.target.type == target == 9


def test_null_becomes_the_default() -> None:
    nulls: dict[str, object] = {"content": None, "author": None, "attachments": None, "message_scene": None}
    found, heard = surprises_of("GROUP_AT_MESSAGE_CREATE", GROUP_MESSAGE | nulls)
    assert isinstance(found, GroupAtMessageCreate)
    assert (found.content, found.attachments, found.author.username) == ("", (), "")
    assert sorted(heard) == sorted(nulls)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (1772329727, 1772329727),
        ("1772329727", 1772329727),
        (1772329727000, 1772329727),
        ("1772329727000", 1772329727),
        ("2026-03-01T09:48:47+08:00", 1772329727),
        ("2026-03-01T01:48:47Z", 1772329727),
        ("2026-03-01 09:48:47", 1772329727),
        ("soon", None),
        ("", None),
        (True, None),
        ([], None),
    ],
)
def test_the_forms_of_time(moment: object, seconds: float | None) -> None:
    found = decode_event("GROUP_ADD_ROBOT", wire(ROBOT | {"timestamp": moment}))
    assert isinstance(found, events.GroupAddRobot)
    assert (found.timestamp and found.timestamp.timestamp()) == seconds


def test_an_unusable_item_is_left_out_and_the_others_stay() -> None:
    attachments: list[object] = [{"url": None}, "x", {"url": "//a/b"}]
    found, heard = surprises_of("GROUP_AT_MESSAGE_CREATE", GROUP_MESSAGE | {"attachments": attachments})
    assert isinstance(found, GroupAtMessageCreate)
    assert [one.address for one in found.attachments] == ["https://a/b"]
    assert heard == ["attachments[]", "attachments[]"]


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("GROUP_AT_MESSAGE_CREATE", {**GROUP_MESSAGE, "id": None}, "id"),
        ("GROUP_AT_MESSAGE_CREATE", {**GROUP_MESSAGE, "group_openid": ""}, "group_openid"),
        ("GROUP_ADD_ROBOT", {"timestamp": 1}, "group_openid"),
        ("C2C_MESSAGE_CREATE", {**C2C_MESSAGE, "author": {}}, "openid"),
        ("AT_MESSAGE_CREATE", {**GUILD_MESSAGE, "channel_id": {}}, "channel"),
        ("DIRECT_MESSAGE_CREATE", {**GUILD_MESSAGE, "guild_id": None}, "guild"),
        ("READY", {"session_id": "x", "user": []}, "user"),
        ("FRIEND_ADD", [], "whole"),
    ],
)
def test_without_an_address_it_is_an_unknown_event(name: str, data: object, field: str) -> None:
    found = decode_event(name, wire(data))
    assert isinstance(found, UnknownEvent)
    assert (found.name, found.data) == (name, wire(data))
    assert found.error is not None
    assert re.search(field, found.error)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"id": "\xff"}', b"[" * 100_000, b"nul"])
def test_what_is_no_json_is_an_unknown_event(data: bytes) -> None:
    found = decode_event("GROUP_AT_MESSAGE_CREATE", data)
    assert isinstance(found, UnknownEvent)
    assert found.data == data
    assert found.error


def test_messages_nested_without_end_are_an_unknown_event() -> None:
    depth = 20_000
    head = wire(GROUP_MESSAGE).removesuffix(b"}")
    nested = b'{"msg_elements":[' * depth + b"]}" * depth
    found = decode_event("GROUP_AT_MESSAGE_CREATE", head + b',"msg_elements":[' + nested + b"]}")
    assert isinstance(found, UnknownEvent)


def paths(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*here, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += paths(item, (*here, index))
    return found


def changed(name: str, path: tuple[str | int, ...], new: object) -> object:
    """Return the sample with `new` at `path`; `...` takes the field away."""
    root = json.loads(wire(SAMPLES[name]))
    *way, last = path
    parent = root
    for step in way:
        parent = parent[step]
    if new is ...:
        del parent[last]
    else:
        parent[last] = new
    return root


ODD_VALUES: tuple[object, ...] = (
    *(..., None, "", "x", "12", 0, -1, 3.5, 1e300, 2**70, True, False, [], {}, [None], ["x"], [[]], {"x": None}),
    *("9" * 400, "2026-13-45", "\u0000", {"id": None}, [{"id": 1}]),
)


def identity(name: str) -> set[str]:
    """The fields that identify or address the event: without one of them it is an `UnknownEvent`."""
    kind = EVENTS[name]
    return next((fields for base, fields in IDENTITIES.items() if issubclass(kind, base)), set())


IDENTITIES: dict[type[Event], set[str]] = {
    Ready: {"session_id", "user", "user.id"},
    GroupMessageEvent: {"id", "group_openid"},
    events.C2CMessageCreate: {"id", "author"},
    events.ChannelMessageEvent: {"id", "channel_id"},
    events.DirectMessageCreate: {"id", "guild_id"},
    InteractionCreate: {"id", "type"},
    events.FriendNotice: {"openid"},
    events.GroupRobotNotice: {"group_openid"},
    events.GroupMemberNotice: {"group_openid", "member_openid"},
    events.GroupJoinRequest: {"group_openid", "member_openid", "join_request_id"},
    events.GuildNotice: {"id"},
    events.ChannelNotice: {"id"},
    events.GuildMemberNotice: {"guild_id", "user", "user.id"},
    events.MessageDeleteNotice: {"message", "message.id"},
    events.MessageReactionNotice: {"channel_id", "user_id", "target", "target.id", "emoji", "emoji.id", "emoji.type"},
    events.MessageAuditNotice: {"audit_id"},
    events.ForumThreadNotice: {"channel_id", "thread_info", "thread_info.thread_id"},
    events.ForumPostNotice: {"channel_id", "post_info", "post_info.thread_id", "post_info.post_id"},
    events.ForumReplyNotice: {
        *("channel_id", "reply_info", "reply_info.thread_id", "reply_info.post_id", "reply_info.reply_id")
    },
    events.ForumNotice: {"channel_id"},
    events.OpenForumNotice: {"channel_id"},
    events.AudioNotice: {"channel_id"},
    events.AudioLiveMemberNotice: {"channel_id", "user_id"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_no_change_of_one_field_raises_or_loses_the_event(name: str) -> None:
    for path in paths(SAMPLES[name]):
        for odd in ODD_VALUES:
            data = changed(name, path, odd)
            found = decode_event(name, wire(data))
            assert isinstance(found, EVENTS[name] | UnknownEvent)
            assert isinstance(found.ordering_key, str)
            if ".".join(map(str, path)) not in identity(name):
                assert type(found) is EVENTS[name], (path, odd)


@pytest.mark.parametrize(("name", "path"), [(name, path) for name in SAMPLES for path in sorted(identity(name))])
def test_an_event_without_its_identity_is_an_unknown_event(name: str, path: str) -> None:
    for odd in (..., None, [None], {"x": None}):
        data = wire(changed(name, tuple(path.split(".")), odd))
        found = decode_event(name, data)
        assert isinstance(found, UnknownEvent)
        assert (found.name, found.data) == (name, data)
        assert found.error


@pytest.mark.parametrize("name", SAMPLES)
def test_an_added_field_changes_nothing(name: str) -> None:
    sample = SAMPLES[name]
    fields = sample if isinstance(sample, dict) else {}
    for odd in ODD_VALUES[1:]:
        assert surprises_of(name, {**fields, "brand_new": odd}) == (decode_event(name, wire(sample)), [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(name=st.sampled_from(sorted(SAMPLES)), data=st.data())
def test_no_payload_raises(name: str, data: st.DataObject) -> None:
    sample = SAMPLES[name]
    fields = sorted(sample) if isinstance(sample, dict) else []
    odd = data.draw(json_values)
    if fields and data.draw(st.booleans()):
        odd = {**SAMPLES[name], data.draw(st.sampled_from([*fields, "new_field"])): odd}  # type: ignore[dict-item]
    found = decode_event(name, wire(odd))
    assert isinstance(found, EVENTS[name] | UnknownEvent)
    assert isinstance(found.ordering_key, str)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_decoding_the_encoding_gives_the_same_event(name: str) -> None:
    found = decode_event(name, wire(SAMPLES[name]))
    assert decode_event(name, msgspec_json.encode(found)) == found


class TestEvent:
    """The `event` decorator; each test takes back what it entered."""

    @pytest.fixture(autouse=True)
    def tables_as_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "EVENTS", dict(events.EVENTS))
        monkeypatch.setattr(events, "_decoders", dict(events._decoders))

    def test_ones_own_event_is_decoded(self) -> None:
        @event("TEST_PAID", Intents.GUILDS, Intents(1 << 20))
        class Paid(Event, frozen=True, kw_only=True):
            order: str

        assert decode_event("TEST_PAID", b'{"order":"1"}') == Paid(order="1")
        assert decode_event("TEST_PAID", b'{"order":1}') == Paid(order="1")
        assert Intents.of(Paid) == Intents.of("TEST_PAID") == Intents.GUILDS | 1 << 20

    def test_an_exception_of_ones_own_check_gives_an_unknown_event(self) -> None:
        @event("TEST_CHECKED")
        class Checked(Event, frozen=True, kw_only=True):
            def __post_init__(self) -> None:
                raise KeyError("never")

            order: str

        found = decode_event("TEST_CHECKED", b'{"order":"1"}')
        assert found == UnknownEvent("TEST_CHECKED", b'{"order":"1"}', "KeyError: 'never'")

    def test_a_second_class_for_a_name_is_refused(self) -> None:
        class Again(Event, frozen=True):
            pass

        for name in ("READY", "GROUP_MEMBER_QUIT"):
            with pytest.raises(ConfigError, match="has the class"):
                event(name)(Again)

    def test_a_second_name_for_a_class_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="is already the event READY"):
            event("TEST_READY")(Ready)

    def test_a_class_that_cannot_be_decoded_fails_where_it_is_defined(self) -> None:
        with pytest.raises(TypeError, match="not supported"):

            @event("IMPOSSIBLE", Intents.GUILDS)
            class Impossible(Event, frozen=True, kw_only=True):
                either: int | dict[str, int] | Event

    def test_what_is_no_event_is_refused(self) -> None:
        class Plain(Struct):
            pass

        with pytest.raises(ConfigError, match="subclass of Event"):
            event("TEST_PLAIN")(Plain)  # type: ignore[type-var]
        with pytest.raises(ConfigError, match="wire name"):
            event("")(Event)


BOT_MENTION = {"scope": "single", "member_openid": "B0", "username": "bot", "bot": True, "is_you": True}
OTHER_MENTION = {"scope": "single", "member_openid": "M1", "username": "Bob", "bot": False, "is_you": False}


def group_message(name: str, content: str, *mentions: object) -> MessageEvent:
    found = decode_event(name, wire(GROUP_MESSAGE | {"content": content, "mentions": mentions}))
    assert isinstance(found, MessageEvent)
    return found


@pytest.mark.parametrize("name", ["GROUP_AT_MESSAGE_CREATE", "GROUP_MESSAGE_CREATE"])
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (" /weather", "/weather"),
        ("<@B0> /weather 北京", "/weather 北京"),
        ("\u00a0<@!B0>\u00a0/weather", "/weather"),
        ('/weather <qqbot-at-user id="B0" /> 北京', "/weather 北京"),
        ("/weather<@B0>北京", "/weather 北京"),
        ("<@M1> <@B0> hi", "<@M1> hi"),
        ("hi <@B0>", "hi"),
        ("one\n<@B0> two", "one\ntwo"),
        ("<@B01> hi", "<@B01> hi"),
        ("1 < 2 &lt; 3", "1 < 2 &lt; 3"),
    ],
)
def test_the_mention_of_the_bot_in_a_group_is_known_by_is_you(name: str, content: str, text: str) -> None:
    assert group_message(name, content, BOT_MENTION, OTHER_MENTION).text_without_mention("42") == text
    by_id = BOT_MENTION | {"id": "B0", "member_openid": ""}
    assert group_message(name, content, by_id).text_without_mention("") == text


def test_a_mention_of_all_members_is_none_of_the_bot() -> None:
    everyone = {"scope": "all", "is_you": True, "id": "M1"}
    found = group_message("GROUP_MESSAGE_CREATE", "<@M1> @everyone hi", everyone)
    assert found.text_without_mention("42") == "<@M1> @everyone hi"
    assert not found.mentions_bot("42")


def test_which_messages_mention_the_bot() -> None:
    assert group_message("GROUP_AT_MESSAGE_CREATE", "hi").mentions_bot("")
    assert group_message("GROUP_MESSAGE_CREATE", "hi", OTHER_MENTION, BOT_MENTION).mentions_bot("")
    assert not group_message("GROUP_MESSAGE_CREATE", "hi", OTHER_MENTION).mentions_bot("")
    for name, mentioned in (("AT_MESSAGE_CREATE", True), ("MESSAGE_CREATE", False), ("DIRECT_MESSAGE_CREATE", False)):
        found = decode_event(name, wire(GUILD_MESSAGE | {"mentions": [{"id": "7", "bot": False}]}))
        assert isinstance(found, MessageEvent)
        assert found.mentions_bot("42") is mentioned
    named = decode_event("MESSAGE_CREATE", wire(GUILD_MESSAGE | {"mentions": [{"id": "42", "bot": True}]}))
    assert isinstance(named, MessageEvent)
    assert named.mentions_bot("42")
    assert named.mentions_bot("")
    assert not named.mentions_bot("43")


def test_faces_in_groups_become_their_names() -> None:
    smile = '<faceType=4,faceId="",ext="eyJ0ZXh0IjoiW+W+rueskV0ifQ==">'
    found = group_message("GROUP_MESSAGE_CREATE", f"<@B0> hi{smile}!", BOT_MENTION)
    assert found.text_without_mention("") == "hi[微笑]!"
    assert found.content == f"<@B0> hi{smile}!"
