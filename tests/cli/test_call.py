"""`qqbot call`: the answer on stdout, the trace id on stderr, and an exit code."""

import json

from qqbot.testing import Simulator
from tests.cli.program import environment, run


async def test_an_answer_is_printed_as_json(sim: Simulator) -> None:
    code, out, err = await run("call", "get", "/users/@me", env=environment(sim))
    assert code == 0
    assert json.loads(out)["id"]
    assert out.count("\n") > 2, "the JSON is not made to be read"
    assert err.startswith("trace id ")
    assert sim.secret not in out + err


async def test_a_body_is_sent(sim: Simulator) -> None:
    body = json.dumps({"msg_type": 0, "content": "an active message"})
    group = sim.group("test").id
    code, out, _ = await run("call", "POST", f"/v2/groups/{group}/messages", "--data", body, env=environment(sim))
    assert code == 0
    assert json.loads(out)["id"]


async def test_an_error_shows_code_and_trace_id(sim: Simulator) -> None:
    code, out, err = await run("call", "GET", "/guilds/0/of/nowhere", env=environment(sim))
    assert (code, out) == (1, "")
    assert "GET /guilds/0/of/nowhere" in err
    assert "trace id" in err
    assert "Traceback" not in err


async def test_a_refused_secret_exits_with_4(sim: Simulator) -> None:
    code, _, err = await run("call", "GET", "/users/@me", env=environment(sim, QQBOT_SECRET="not-the-right-one"))
    assert code == 4
    assert "not-the-right-one" not in err


async def test_missing_credentials_exit_with_3() -> None:
    code, _, err = await run("call", "GET", "/users/@me")
    assert code == 3
    assert "no credentials" in err


async def test_an_unreachable_platform_is_an_error() -> None:
    variables = {"QQBOT_APP_ID": "1", "QQBOT_SECRET": "s", "QQBOT_API_BASE": "http://127.0.0.1:9"}
    code, _, err = await run("call", "GET", "/users/@me", env=variables)
    assert code == 1
    assert "127.0.0.1:9" in err
    assert "Traceback" not in err
