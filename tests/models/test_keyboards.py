import json

import pytest

from qqbot.codec import encode
from qqbot.errors import ConfigError
from qqbot.models.keyboards import Button, ButtonPermission, ButtonStyle, Keyboard


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
