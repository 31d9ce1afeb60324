"""Interactions by kind, and the body that answers a search."""

import json

import pytest

from qqbot import (
    Authorization,
    ButtonClick,
    ConfigError,
    Feedback,
    InteractionCreate,
    MenuClick,
    ModelSwitch,
    OtherInteraction,
    Search,
    SearchLayout,
    SearchRecord,
    SearchResponse,
    SessionCleared,
    StoryStep,
    interaction,
)
from qqbot.models.codec import encode
from qqbot.models.events import decode_event
from qqbot.models.interactions import InteractionDetail, InteractionType


def event(kind: int, **data: object) -> InteractionCreate:
    body = {"id": "i", "type": kind, "user_openid": "u", "data": data}
    found = decode_event("INTERACTION_CREATE", encode(body))
    assert isinstance(found, InteractionCreate)
    return found


@pytest.mark.parametrize(
    ("kind", "data", "detail", "awaits_ack"),
    [
        (
            11,
            {"resolved": {"button_id": "1", "button_data": "vote:yes", "message_id": "m"}},
            ButtonClick("1", "vote:yes", "m", ""),
            True,
        ),
        (12, {"resolved": {"feature_id": "f"}}, MenuClick("f"), True),
        (
            13,
            {"resolved": {"feedback_opt": "LIKE", "message_id": "m", "checked": 1}},
            Feedback("LIKE", "m", checked=True),
            False,
        ),
        (14, {}, SessionCleared(), False),
        (15, {"resolved": {"action": "ENTER_STORY"}}, StoryStep("ENTER_STORY"), False),
        (16, {"resolved": {"action": "SWITCH"}}, ModelSwitch("SWITCH"), False),
        (
            18,
            {"resolved": {"authorize_data": {"scope": "c2c_push", "opt_scene": "profile"}}},
            Authorization("c2c_push", "profile"),
            False,
        ),
        (19, {"resolved": {"authorize_data": {"scope": "group_push"}}}, Authorization("group_push", ""), False),
        (20, {}, Authorization("", ""), False),
        (2, {"type": 9, "name": "search", "resolved": {"keyword": "cats"}}, Search("cats"), False),
        (2, {"type": 1}, OtherInteraction(InteractionType.COMMAND), False),
        (2001, {}, OtherInteraction(InteractionType.CONFIG_QUERY), False),
        (77, {}, OtherInteraction(InteractionType(77)), False),
    ],
)
def test_detail(kind: int, data: dict[str, object], detail: InteractionDetail, awaits_ack: bool) -> None:
    found = event(kind, **data)
    assert found.detail == detail
    assert found.awaits_ack is awaits_ack


def test_a_predicate_chooses_kinds() -> None:
    takes = interaction(Feedback, Search)
    assert takes(event(13))
    assert takes(event(2, type=9))
    assert not takes(event(11))
    with pytest.raises(ConfigError, match="takes kinds"):
        interaction()


def test_a_search_is_answered_in_the_wire_form() -> None:
    record = SearchRecord(cover="https://a.example/1.png", title="A cat", tips="black", url="https://a.example/1")
    body = json.loads(encode(SearchResponse(layouts=(SearchLayout(title="Cats", records=(record,)),))))
    assert body == {
        "layouts": [
            {
                "LayoutType": 0,
                "ActionType": 0,
                "Title": "Cats",
                "Records": [
                    {
                        "cover": "https://a.example/1.png",
                        "title": "A cat",
                        "tips": "black",
                        "url": "https://a.example/1",
                    }
                ],
            }
        ]
    }
