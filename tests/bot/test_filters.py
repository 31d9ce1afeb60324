import pytest

from qqbot import Router, button, command, meant_for_me
from qqbot.errors import ConfigError
from qqbot.models.events import AtMessageCreate, GroupAtMessageCreate, InteractionCreate, MessageEvent, decode_event
from tests.models.samples import SAMPLES, wire


def message(content: str) -> MessageEvent:
    sample = SAMPLES["AT_MESSAGE_CREATE"]
    assert isinstance(sample, dict)
    found = decode_event("AT_MESSAGE_CREATE", wire({**sample, "content": content}))
    assert isinstance(found, AtMessageCreate)
    return found


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ("<@!1234> /weather 北京", True),
        ("/Weather", True),
        ("/weathers", False),
        ("weather", False),
        ("what /weather", False),
        ("", False),
    ],
)
def test_command(content: str, taken: bool) -> None:
    assert command("weather")(message(content)) is taken
    assert command("/weather")(message(content)) is taken


def click(data: object) -> InteractionCreate:
    found = decode_event(
        "INTERACTION_CREATE", wire({"id": "1", "type": 11, "data": {"resolved": {"button_data": data}}})
    )
    assert isinstance(found, InteractionCreate)
    return found


def test_button() -> None:
    votes = button("vote:")
    assert votes(click("vote:yes"))
    assert not votes(click("other"))
    assert not votes(click(None))


@pytest.mark.parametrize("name", ["", "/", "two words", " weather"])
def test_a_command_is_one_word(name: str) -> None:
    with pytest.raises(ConfigError, match="takes one word"):
        command(name)


def test_a_button_has_data() -> None:
    with pytest.raises(ConfigError, match="the start of a button's data"):
        button("")


def test_a_router_takes_them() -> None:
    router = Router()

    @router.on(GroupAtMessageCreate, AtMessageCreate, when=command("weather"))
    async def weather(ctx: object) -> None: ...

    @router.on(InteractionCreate, when=button("vote:"))
    async def vote(ctx: object) -> None: ...

    (registration,) = router._handlers.match(message("/weather"))
    assert registration.when is not None
    assert registration.when(message("/weather"))


def group_message(name: str, content: str, **fields: object) -> MessageEvent:
    sample = SAMPLES["GROUP_AT_MESSAGE_CREATE"]
    assert isinstance(sample, dict)
    found = decode_event(name, wire({**sample, "content": content, **fields}))
    assert isinstance(found, MessageEvent)
    return found


YOU = {"scope": "single", "member_openid": "B0", "bot": True, "is_you": True}


def test_a_command_after_or_before_the_mention_in_a_group() -> None:
    for content in ("/weather", "<@B0> /weather", "/weather<@B0>", "/weather <@B0> 北京"):
        assert command("weather")(group_message("GROUP_MESSAGE_CREATE", content, mentions=[YOU]))


def test_messages_for_the_bot() -> None:
    assert meant_for_me(group_message("GROUP_AT_MESSAGE_CREATE", "hi", mentions=[]))
    assert meant_for_me(group_message("GROUP_MESSAGE_CREATE", "hi", mentions=[YOU]))
    assert not meant_for_me(group_message("GROUP_MESSAGE_CREATE", "hi", mentions=[]))
    assert not meant_for_me(group_message("GROUP_MESSAGE_CREATE", "hi", mentions=[{"scope": "all", "is_you": True}]))
    assert meant_for_me(message("hi"))
    for name in ("C2C_MESSAGE_CREATE", "DIRECT_MESSAGE_CREATE"):
        found = decode_event(name, wire(SAMPLES[name]))
        assert isinstance(found, MessageEvent)
        assert meant_for_me(found)
