"""`qqbot webhook`: what it says about a right server, about each kind of wrong one, and the calls that it makes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from qqbot import Bot, ConfigError, ConnectionFailed, Context, Event, InteractionCreate, Search, Timeout
from qqbot.webhook import WebhookClient, public_key, sign, simulate_search, verify
from tests.cli.control import Control
from tests.cli.program import python, qqbot, run
from tests.sockets import free_port
from tests.webhook.hosts import by_aiohttp
from tests.webhook.signed import APP_ID, CREDENTIALS, SECRET

ENVIRONMENT = {"QQBOT_APP_ID": APP_ID, "QQBOT_SECRET": SECRET}


@asynccontextmanager
async def served(bot: Bot) -> AsyncIterator[str]:
    async with by_aiohttp(bot.webhook()) as url:
        yield url


@asynccontextmanager
async def answered(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server that is none of ours."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with by_aiohttp(app) as url:
        yield url


async def test_verify_passes_for_a_bot_and_runs_nothing() -> None:
    bot, seen = Bot(CREDENTIALS), []

    @bot.on
    async def message(ctx: Context[InteractionCreate]) -> None:
        seen.append(ctx.event)

    async with served(bot) as url:
        code, out, err = await run("webhook", "verify", url, env=ENVIRONMENT)
    assert (code, err) == (0, "")
    assert [line[:6] for line in out.splitlines()[:-1]] == ["ok    "] * 7
    assert seen == []


async def test_verify_says_that_the_secret_is_another() -> None:
    async with served(Bot(CREDENTIALS)) as url:
        code, out, _ = await run("webhook", "verify", url, env=ENVIRONMENT | {"QQBOT_SECRET": "another"})
    assert code == 1
    assert "FAILED the challenge" in out
    assert "another AppSecret" in out
    assert "another" in out and SECRET not in out


def _op(document: Any) -> int:
    return document["op"] if isinstance(document, dict) else -1


async def trusting(request: web.Request) -> web.Response:
    """Verifies nothing, and signs whatever it is asked to."""
    document = await request.json()
    if _op(document) == 13:
        d = document["d"]
        signature = sign(SECRET, d["event_ts"], d["plain_token"].encode())
        return web.json_response({"plain_token": d["plain_token"], "signature": signature})
    return web.json_response({"op": 12, "d": 0})


async def careful(request: web.Request, verified: Callable[[str, bytes, str], bool]) -> web.Response:
    """Signs only what the platform asks for; how it verifies is up to the test."""
    body = await request.read()
    document = json.loads(body)
    if _op(document) == 13 and "{" in document["d"]["plain_token"]:
        return web.Response(status=400)
    if _op(document) == 13:
        return await trusting(request)
    fields = request.headers
    if not verified(fields.get("X-Signature-Timestamp", ""), body, fields.get("X-Signature-Ed25519", "")):
        return web.Response(status=401)
    return web.json_response({"op": 12, "d": 0})


async def test_verify_finds_a_server_that_signs_forged_events() -> None:
    async with answered(trusting) as url:
        code, out, _ = await run("webhook", "verify", url, env=ENVIRONMENT)
    assert code == 1
    assert "FAILED a forged challenge" in out
    assert "an attacker can forge events" in out


@pytest.mark.parametrize(
    ("verified", "step"),
    [
        (lambda timestamp, body, signature: True, "without a signature"),
        (lambda timestamp, body, signature: bool(signature), "wrong signature"),
        (lambda timestamp, body, signature: verify(SECRET, timestamp, body, signature), "old timestamp"),
        (lambda timestamp, body, signature: False, "a signed event is acknowledged"),
    ],
)
async def test_verify_names_the_step_that_fails(verified: Callable[[str, bytes, str], bool], step: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return await careful(request, verified)

    async with answered(handler) as url:
        code, out, _ = await run("webhook", "verify", url, env=ENVIRONMENT)
    assert code == 1
    (failed,) = [line for line in out.splitlines() if line.startswith("FAILED")]
    assert step in failed


@pytest.mark.parametrize(
    ("status", "words"), [(307, "follows no redirect"), (404, "path of the bot"), (502, "a proxy answers")]
)
async def test_verify_knows_who_answers_instead(status: int, words: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere/"})

    async with answered(handler) as url:
        code, out, _ = await run("webhook", "verify", url, env=ENVIRONMENT)
    assert code == 1
    assert words in out


async def test_verify_says_that_nothing_listens() -> None:
    code, out, err = await run("webhook", "verify", "http://127.0.0.1:9/qq", env=ENVIRONMENT)
    assert (code, err) == (1, "")
    assert "cannot be reached" in out


async def test_without_credentials_it_is_a_matter_of_configuration() -> None:
    for command in (["verify", "http://127.0.0.1:9"], ["pubkey"], ["send", "http://127.0.0.1:9", "X"], ["sign", "/"]):
        code, _, err = await run("webhook", *command)
        assert code == 3
        assert "QQBOT_APP_ID" in err


async def test_send_brings_an_event_and_the_same_again() -> None:
    bot, seen = Bot(CREDENTIALS), []

    @bot.on
    async def tap(ctx: Context[Event]) -> None:
        seen.append((type(ctx.event).__name__, ctx.event_id))

    async with served(bot) as url:
        for _ in range(2):
            sent = await run("webhook", "send", url, "GROUP_AT_MESSAGE_CREATE", "--id", "again", env=ENVIRONMENT)
            assert (sent.code, sent.out) == (0, '{"op":12,"d":0}\n')
            assert "HTTP 200 after" in sent.err
        sent = await run("webhook", "send", url, "FRIEND_ADD", "--data", '{"openid": "U"}', env=ENVIRONMENT)
        assert sent.code == 0
        refused = await run("webhook", "send", url, "X", env=ENVIRONMENT | {"QQBOT_SECRET": "another"})
        assert (refused.code, SECRET in refused.out + refused.err) == (1, False)
    assert seen[0] == ("GroupAtMessageCreate", "again")
    assert seen[1][0] == "FriendAdd"
    assert len(seen) == 2


async def test_sign_prints_headers_that_verify(tmp_path: Path) -> None:
    body = "{'嗨': 1}\r\n".encode()
    (tmp_path / "body").write_bytes(body)
    code, out, _ = await run("webhook", "sign", tmp_path / "body", "--timestamp", "1728981195", env=ENVIRONMENT)
    fields = dict(line.split(": ") for line in out.splitlines())
    assert (code, fields["X-Bot-Appid"], fields["X-Signature-Timestamp"]) == (0, APP_ID, "1728981195")
    assert verify(SECRET, "1728981195", body, fields["X-Signature-Ed25519"])
    script = (
        "import io, sys; from qqbot.cli import main\n"
        f"sys.stdin = io.TextIOWrapper(io.BytesIO({body!r}))\nmain(['webhook', 'sign', '--timestamp', '1728981195'])"
    )
    async with python("-c", script, env=ENVIRONMENT) as program:
        assert (await program.finished()).out == out
    missing = await run("webhook", "sign", tmp_path / "nothing", env=ENVIRONMENT)
    assert missing.code == 1
    assert "cannot be read" in missing.err


async def test_pubkey_prints_the_key() -> None:
    code, out, _ = await run("webhook", "pubkey", env=ENVIRONMENT)
    assert (code, out.strip()) == (0, public_key(SECRET))


BOT = """
from qqbot import Bot, C2CMessageCreate, Context
bot = Bot()
@bot.on
async def echo(ctx: Context[C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
if __name__ == "__main__":
    bot.run(webhook="127.0.0.1:PORT")
"""


async def test_the_simulator_pushes_to_a_bot_in_another_process(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "bot.py").write_text(BOT.replace("PORT", str(port)), "utf-8")
    url = f"http://127.0.0.1:{port}/qq"
    async with qqbot("simulate", "--webhook", url, "--port", "0", "--no-browser", "--json") as simulator:
        told = json.loads(await simulator.line("out"))
        await simulator.line("err", "does not answer the challenge yet")
        environment = {f"QQBOT_{name.upper()}": told[name] for name in ("api_base", "token_url", "app_id", "secret")}
        async with python(tmp_path / "bot.py", env=environment) as bot:
            await simulator.line("err", "has answered the challenge")
            async with Control(told["api_base"], told["control_token"]) as control:
                await control.post("fault", webhook="redeliver", times=1)
                assert [reply["text"] for reply in await control.say("c2c", "hello")] == ["hello"]
                with pytest.raises(AssertionError, match="one of the flaws"):
                    await control.post("fault", webhook="nonsense")
            assert (await bot.stopped()).code == 0
        assert (await simulator.stopped()).code == 0


async def test_the_simulator_pushes_to_urls_only() -> None:
    finished = await run("simulate", "--webhook", "example.com", "--port", "0", "--no-browser")
    assert finished.code == 3
    assert "is not an http" in finished.err


@pytest.mark.parametrize("enveloped", [True, False])
async def test_a_simulated_search_reaches_the_handler(enveloped: bool) -> None:
    bot, keywords = Bot(CREDENTIALS), []

    @bot.on
    async def search(ctx: Context[InteractionCreate]) -> None:
        match ctx.event.detail:
            case Search(keyword):
                keywords.append(keyword)
            case other:
                raise AssertionError(other)

    async with by_aiohttp(bot.webhook(awaited=True)) as url:
        answer = await simulate_search(url, CREDENTIALS, "猫", enveloped=enveloped)
    assert (answer.status, json.loads(answer.text), keywords) == (200, {"op": 12, "d": 0}, ["猫"])


async def test_trial_calls_say_what_went_wrong() -> None:
    with pytest.raises(ConfigError, match="no http"):
        WebhookClient("ftp://127.0.0.1", CREDENTIALS)
    with pytest.raises(ConfigError, match="no http:// or https:// URL"):
        await simulate_search("http://", CREDENTIALS, "x")
    with pytest.raises(ConnectionFailed, match="cannot be reached"):
        await simulate_search("http://127.0.0.1:9", CREDENTIALS, "x")

    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response()

    async with answered(silent) as url:
        with pytest.raises(Timeout, match="did not answer within"):
            await simulate_search(url, CREDENTIALS, "x", timeout=0.05)


async def test_a_trial_call_does_not_show_the_password_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://user:hunter2@127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(ConnectionFailed, match="HTTP 407") as caught:
            await simulate_search("https://bot.example.com/qq", CREDENTIALS, "x")
    assert "hunter2" not in str(caught.value) and caught.value.__context__ is None
