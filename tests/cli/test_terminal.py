"""What a command prints is shown, not obeyed; and an output that fails is an error in words with an exit code."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from qqbot.testing import Simulator
from tests.cli.program import environment, qqbot, run
from tests.redis.servers import Server, engine, store

__all__ = ["engine", "store"]

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u2066\r\x08\x7f"
CONTROLS = set("\x1b\x07\x9b\u202e\u2066\r\x08\x7f")
FULL = Path("/dev/full")
DEEP = "[" * 100_000

posix = pytest.mark.skipif(os.name != "posix", reason="shells and devices as POSIX has them")


def assert_shown(text: str) -> None:
    """No character of it controls a terminal, and yet the words are there."""
    assert not CONTROLS & set(text), ascii(text)
    assert "\\x1b[2J" in text or "\\u001b[2J" in text, text
    assert "evil" in text


@asynccontextmanager
async def platform(answer: str, *, status: int = 200, headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    """A platform that gives this answer to every call; its token is refused to none."""

    async def reply(request: web.Request) -> web.Response:
        if request.path.endswith("getAppAccessToken"):
            return web.json_response({"access_token": "t", "expires_in": 7200})
        return web.Response(text=answer, status=status, content_type="application/json", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def pointing_at(base: str) -> dict[str, str]:
    return {"QQBOT_API_BASE": base, "QQBOT_APP_ID": "1", "QQBOT_SECRET": "s"}


@pytest.mark.parametrize("answer", [json.dumps({"name": EVIL}), f"no json: {EVIL}"])
async def test_an_answer_of_the_platform_is_shown(answer: str) -> None:
    async with platform(answer) as base:
        code, out, err = await run("call", "GET", "/users/@me", env=pointing_at(base))
    assert code == 0, err
    assert_shown(out)
    if answer.startswith("{"):
        assert json.loads(out) == {"name": EVIL}, "what is escaped is the same JSON"


async def test_an_error_of_the_platform_is_shown() -> None:
    async with platform(json.dumps({"code": 11255, "message": EVIL, "trace_id": EVIL}), status=400) as base:
        code, out, err = await run("call", "GET", "/users/@me", env=pointing_at(base))
    assert (code, out) == (1, "")
    assert_shown(err)


@pytest.mark.parametrize("answer", [DEEP, '{"a":' * 50_000, "1" * 10_000, "\x00", '"\\ud800"'])
async def test_an_answer_that_cannot_be_indented_is_printed_as_it_is(answer: str) -> None:
    async with platform(answer) as base:
        code, out, err = await run("call", "GET", "/users/@me", env=pointing_at(base))
    assert (code, "Traceback" in err) == (0, False)
    assert out


@pytest.mark.parametrize("data", [DEEP, "1" * 10_000, "{", "\udcff"])
@pytest.mark.parametrize("command", [("call", "POST", "/x"), ("webhook", "send", "http://127.0.0.1:9", "X")])
async def test_a_body_that_no_reader_accepts_is_wrong_usage(command: tuple[str, ...], data: str) -> None:
    code, _, err = await run(*command, "--data", data, env=pointing_at("http://127.0.0.1:9"))
    assert (code, "Traceback" in err, "not JSON" in err) == (2, False, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "GET", "/\udcff"),
        ("webhook", "send", "http://127.0.0.1:9/\udcff", "X"),
        ("webhook", "send", "http://127.0.0.1:9", "\udcff"),
        ("webhook", "send", "http://127.0.0.1:9", "X", "--id", "\udcff"),
        ("webhook", "verify", "http://127.0.0.1:9/\udcff"),
    ],
)
async def test_an_argument_that_is_no_text_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    code, _, err = await run(*arguments, env=pointing_at("http://127.0.0.1:9"))
    assert (code, "Traceback" in err) == (2, False), err


async def test_big_numbers_reach_a_webhook_as_they_are(tmp_path: Path) -> None:
    async with platform("{}") as base:
        data = '{"n": 123456789012345678901234567890, "s": "\\ud800"}'
        code, _, err = await run("webhook", "send", base, "X", "--data", data, env=pointing_at(base))
    assert (code, "Traceback" in err) == (0, False), err


@pytest.mark.parametrize("charset", ["zlib", "nonsense", "utf-16"])
async def test_what_a_webhook_answers_is_shown(charset: str) -> None:
    async with platform(EVIL, headers={"X-Evil": "x"}) as base:
        code, out, err = await run("webhook", "send", base, "X", env=pointing_at(base))
        assert code == 0, err
        assert_shown(out)
        code, out, err = await run("webhook", "verify", base, env=pointing_at(base))
        assert (code, "Traceback" in err) == (1, False)
        assert not CONTROLS & set(out)


async def test_what_redis_holds_is_shown(store: Server) -> None:
    variables = {"QQBOT_REDIS_URL": store.url, "QQBOT_APP_ID": "1"}
    code, _, err = await run("shards", "halt", EVIL, env=variables)
    assert code == 0, err
    for arguments in ((), ("log",), ("log", "--json"), ("ls", "--json")):
        code, out, err = await run("shards", *arguments, env=variables)
        assert (code, err) == (0, "")
        assert not CONTROLS & set(out), ascii(out)
        if "--json" in arguments:
            assert EVIL in json.dumps(json.loads(out), ensure_ascii=False) or "evil" in out
    assert_shown((await run("shards", "log", env=variables)).out)


async def test_a_line_break_in_redis_fakes_no_row(store: Server) -> None:
    variables = {"QQBOT_REDIS_URL": store.url, "QQBOT_APP_ID": "1"}
    client = store.client()
    try:
        await client.xadd("qqbot:{1:default}:log", {"kind": "halt", "node": "one\nnode-9  A  99", "a\nb": "c\nd"})
    finally:
        await client.aclose()
    out = (await run("shards", "log", env=variables)).out
    assert len(out.splitlines()) == 2, out


async def acl(store: Server, *rule: str) -> str:
    """Make the user u; a URL for it."""
    client = store.client()
    try:
        await client.execute_command("ACL", "SETUSER", "u", "on", ">right", *rule)
    finally:
        await client.aclose()
    return store.url.replace("://", "://u:right@")


async def test_a_wrong_password_is_words(store: Server) -> None:
    url = (await acl(store, "~*", "+@all")).replace("right", "hunter2")
    code, out, err = await run("shards", env={"QQBOT_REDIS_URL": url, "QQBOT_APP_ID": "1"})
    assert (code, out, "Traceback" in err) == (4, "", False), err
    assert "password" in err and "hunter2" not in err


@pytest.mark.parametrize("rule", [("~*", "+ping"), ("~other", "+@all"), ("~*", "+@all", "-eval", "-evalsha")])
async def test_a_missing_right_is_words(store: Server, rule: tuple[str, ...]) -> None:
    url = await acl(store, *rule)
    code, _, err = await run("shards", "halt", env={"QQBOT_REDIS_URL": url, "QQBOT_APP_ID": "1"})
    assert (code, "Traceback" in err) == (4, False), err
    assert "right" in err


async def test_a_key_of_another_type_is_words(store: Server) -> None:
    variables = {"QQBOT_REDIS_URL": store.url, "QQBOT_APP_ID": "1"}
    await run("shards", "halt", env=variables)
    client = store.client()
    try:
        for key in await client.keys("*"):
            await client.delete(key)
            await client.set(key, "another program's")
    finally:
        await client.aclose()
    for arguments in ((), ("nodes",), ("log",), ("unhalt",), ("drain", "x"), ("roll", "2")):
        code, _, err = await run("shards", *arguments, env=variables)
        assert (code in (0, 1, 3), "Traceback" in err) == (True, False), (arguments, code, err)


PRINTING = [("--help",), ("version",), ("explain", "11255"), ("explain", "11255", "--json"), ("webhook", "pubkey")]


@posix
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_is_words(arguments: tuple[str, ...], buffered: str) -> None:
    if arguments == ("--help",) and buffered:
        pytest.skip("argparse itself drops an error of its own print")
    with FULL.open("w") as full:
        ended = started(arguments, stdout=full, PYTHONUNBUFFERED=buffered)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr and "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@posix
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_pipe_without_a_reader_is_words(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = started(arguments, stdout=writer)
    finally:
        os.close(writer)
    assert ended.returncode == 1
    assert "Broken pipe" in ended.stderr and "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@posix
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("arguments", [*PRINTING[1:], ("explain", "7"), ("webhook", "sign")], ids=" ".join)
def test_a_closed_stream_is_words(arguments: tuple[str, ...], closed: str) -> None:
    command = " ".join([sys.executable, "-W", "error", "-m", "qqbot", *arguments, closed])
    ended = subprocess.run(
        ["/bin/sh", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        env=variables(),
        timeout=30,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == (2 if "7" in arguments else 1 if "1>" in closed else 0), ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def variables(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "", "QQBOT_APP_ID": "1", "QQBOT_SECRET": "s", **more}


def started(arguments: tuple[str, ...], *, stdout: object, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "qqbot", *arguments],
        check=False,
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        env=variables(**more),
        timeout=30,
    )


@posix
def test_a_full_disk_ends_the_simulator_in_words() -> None:
    with FULL.open("w") as full:
        ended = started(("simulate", "--no-bot", "--no-browser", "--port", "0"), stdout=full)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr and "Traceback" not in ended.stderr


@posix
async def test_ctrl_c_during_a_call_is_words() -> None:
    async def never(_: web.Request) -> web.Response:
        called.set()
        await asyncio.sleep(3600)
        raise AssertionError

    called = asyncio.Event()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", never)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with qqbot("call", "GET", "/x", env=pointing_at(base)) as program:
            await called.wait()
            program.signal(signal.SIGINT)
            code, out, err = await program.finished()
    finally:
        await runner.cleanup()
    assert (code, out, "Traceback" in err) == (130, "", False)
    assert "interrupted" in err


async def test_a_handlers_error_shows_what_the_user_sent(tmp_path: Path) -> None:
    file = tmp_path / "raises.py"
    file.write_text(
        "from qqbot import Bot, Context, GroupAtMessageCreate\n"
        "bot = Bot()\n"
        "@bot.on\n"
        "async def answer(ctx: Context[GroupAtMessageCreate]) -> None:\n"
        "    raise ValueError(ctx.text)\n"
    )
    async with Simulator() as sim, qqbot("run", file, env=environment(sim)) as program:
        await program.line("err", "identified")
        await sim.group("test").member("Alice").say(f"@bot {EVIL}")
        line = await program.line("err", "ValueError: ")
        assert (await program.stopped()).code == 0
    assert not CONTROLS & set(line.removesuffix("\n")), ascii(line)
