"""Templates of the event form: the client decodes each of them without an unexpected field."""

import json

import pytest

from qqbot.models.events import EVENTS, decode_event
from qqbot.simulator.wire.tables import Tables
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot
from tests.simulator.test_page import Page

TYPES = [kind for kind in Tables().events if kind not in ("READY", "RESUMED")]


@pytest.mark.parametrize("kind", TYPES)
async def test_the_client_decodes_each_template(sim: Simulator, bot: BareBot, kind: str) -> None:
    sim.channel("general").member("Alice")
    async with Page(sim, bot.http) as page:
        await page.send(auth=sim.control_token)
        result = await page.do(do="template", type=kind, scene="group", conversation="test", user="Bob")
    assert result["ok"], result
    assert result["value"]["d"] != {}
    unexpected: list[str] = []
    event = decode_event(kind, json.dumps(result["value"]["d"]).encode(), lambda _, path: unexpected.append(path))
    assert (type(event), unexpected) == (EVENTS[kind], [])


async def test_a_template_contains_the_conversation_and_the_person(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    bob = sim.group("test").member("Bob")
    async with Page(sim, bot.http) as page:
        await page.send(auth=sim.control_token)
        selection = {"scene": "group", "conversation": "test", "user": "Bob"}
        body = (await page.do(do="template", type="GROUP_MEMBER_ADD", **selection))["value"]["d"]
        assert (body["group_openid"], body["member_openid"]) == (sim.group("test").id, bob.openid)
        assert (await page.do(do="event", type="GROUP_ADD_ROBOT", d=body))["ok"]
        assert (await socket.next())["d"] == body
        refused = await page.do(do="template", type="NO_SUCH_EVENT", **selection)
        assert (refused["ok"], "NO_SUCH_EVENT" in refused["error"]) == (False, True)
