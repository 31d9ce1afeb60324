import json
from collections.abc import Callable

import pytest

from qqbot.errors import ConfigError
from qqbot.models.codec import encode
from qqbot.models.keyboards import Button, ButtonModal, ButtonPermission, ButtonStyle, Keyboard, SubscribeTemplate


def buttons(count: int) -> list[Button]:
    return [Button.callback(f"b{number}", "x") for number in range(count)]


def test_the_wire_form() -> None:
    keyboard = Keyboard(
        rows=[
            [
                Button.link("Site", "https://example.com"),
                Button.callback(
                    "Yes",
                    "vote:yes",
                    button_id="yes",
                    group_id="vote",
                    visited_label="Voted",
                    style=ButtonStyle.BLUE,
                    permission=ButtonPermission.users("u1", "u2"),
                ),
            ],
            [Button.command("Help", "/help", enter=False, reply=True, permission=ButtonPermission.admins())],
        ]
    )
    first, second = json.loads(encode(keyboard.wire))["content"]["rows"]
    assert first["buttons"] == [
        {
            "id": "1",
            "render_data": {"label": "Site", "visited_label": "Site", "style": 1},
            "action": {"type": 0, "permission": {"type": 2}, "data": "https://example.com"},
        },
        {
            "id": "yes",
            "render_data": {"label": "Yes", "visited_label": "Voted", "style": 4},
            "action": {
                "type": 1,
                "permission": {"type": 0, "specify_user_ids": ["u1", "u2"]},
                "data": "vote:yes",
            },
            "group_id": "vote",
        },
    ]
    assert second["buttons"][0]["id"] == "2"
    assert second["buttons"][0]["action"] == {
        "type": 2,
        "permission": {"type": 1},
        "data": "/help",
        "enter": False,
        "reply": True,
    }


def test_a_given_number_is_not_used_twice() -> None:
    keyboard = Keyboard([[Button.callback("a", "x"), Button.callback("b", "x", button_id="1")]])
    assert [button.id for button in keyboard.rows[0]] == ["2", "1"]


def test_five_rows_of_five_are_taken() -> None:
    keyboard = Keyboard([buttons(5)] * 5)
    assert len({button.id for row in keyboard.rows for button in row}) == 25


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "1 to 5 rows, this one has 0"),
        ([buttons(1)] * 6, "1 to 5 rows, this one has 6"),
        ([buttons(1), []], "row 2 has 0"),
        ([buttons(6)], "row 1 has 6"),
    ],
)
def test_the_size_is_checked(rows: list[list[Button]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Keyboard(rows)


def test_ids_are_unique() -> None:
    same = [Button.callback("a", "x", button_id="same"), Button.callback("b", "x", button_id="same")]
    with pytest.raises(ConfigError, match="used twice: same"):
        Keyboard([[same[0]], [same[1]]])


@pytest.mark.parametrize("label", ["", " "])
def test_a_button_needs_a_label(label: str) -> None:
    for make in (Button.callback, Button.link, Button.command):
        with pytest.raises(ConfigError, match="label"):
            make(label, "https://example.com")


def test_a_link_needs_an_address_and_a_command_a_text() -> None:
    with pytest.raises(ConfigError, match="'Site' needs an address"):
        Button.link("Site", "")
    with pytest.raises(ConfigError, match="'Help' needs a text"):
        Button.command("Help", "")
    assert Button.callback("Yes", "").action.data == ""


def test_named_permissions_need_names() -> None:
    for make in (ButtonPermission.users, ButtonPermission.roles):
        with pytest.raises(ConfigError, match="at least one"):
            make()
    assert json.loads(encode(ButtonPermission.roles("r"))) == {"type": 3, "specify_role_ids": ["r"]}


def test_the_other_kinds_of_buttons() -> None:
    modal = ButtonModal(content="Sure?", confirm_text="Yes", cancel_text="No")
    made = [
        Button.native("App", "mqqapi://x", modal=modal, tips="no"),
        Button.subscribe("News", 7, "own"),
        Button.prompt("More"),
        Button.command("Pick", "x", anchor=0),
    ]
    actions = [json.loads(encode(button))["action"] for button in made]
    everyone = {"type": 2}
    assert actions == [
        {
            "type": 3,
            "permission": everyone,
            "data": "mqqapi://x",
            "unsupport_tips": "no",
            "modal": {"content": "Sure?", "confirm_text": "Yes", "cancel_text": "No"},
        },
        {
            "type": 4,
            "permission": everyone,
            "data": "",
            "subscribe_data": {"template_ids": [{"template_id": 7}, {"custom_template_id": "own"}]},
        },
        {"type": 2, "permission": everyone, "data": "More"},
        {"type": 2, "permission": everyone, "data": "x", "anchor": 0},
    ]
    assert made[2].render_data.style == 2


def test_a_keyboard_may_be_a_template() -> None:
    assert json.loads(encode(Keyboard.template("t").wire)) == {"id": "t"}
    with pytest.raises(ConfigError, match="needs the id"):
        Keyboard.template("")
    with pytest.raises(ConfigError, match="either"):
        Keyboard([buttons(1)], template_id="t")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Button.callback("elevenchars", "x"),
        lambda: Button.callback("ok", "x", visited_label="elevenchars"),
        lambda: ButtonModal(content=""),
        lambda: ButtonModal(content="x" * 41),
        lambda: ButtonModal(content="https://a"),
        lambda: ButtonModal(content="ok", confirm_text="fives"),
        lambda: ButtonModal(content="ok", cancel_text="fives"),
        lambda: Button.subscribe("News"),
        SubscribeTemplate,
        lambda: SubscribeTemplate(template_id=0, custom_template_id=""),
    ],
)
def test_what_a_button_cannot_hold(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()
