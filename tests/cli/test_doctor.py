"""`qqbot doctor`: each fault is named first, with what to do, and no session is created without being asked for."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from qqbot import Bot, C2CMessageCreate, Context
from qqbot.cli import main, neighbours
from qqbot.cli.findings import CHECKS
from qqbot.testing import Http, Simulator
from tests.cli.program import environment, qqbot, run
from tests.etcd.server import etcd
from tests.redis.servers import Server, engine, store
from tests.sockets import free_port

__all__ = ["engine", "store"]

BOT = """\
from qqbot import Bot, C2CMessageCreate, Context

bot = Bot()


@bot.on
async def echo(ctx: Context[C2CMessageCreate]) -> None:
    await ctx.reply(ctx.text)
"""
PRIVATE_BOT = """\
from qqbot import Bot, Context, MessageCreate

bot = Bot()


@bot.on
async def read_along(ctx: Context[MessageCreate]) -> None:
    await ctx.reply(ctx.text)
"""

NO_PROXIES = dict.fromkeys(("https_proxy", "http_proxy", "all_proxy", "no_proxy"), "")
"""Those of the machine that runs the tests; small letters win over large ones."""

linux = pytest.mark.skipif(not neighbours.can_look(), reason="only Linux shows connections and processes in /proc")


async def diagnosis(*arguments: str | Path, **variables: str) -> dict[str, Any]:
    """What `qqbot doctor --json` finds; its exit code fits."""
    ended = await run("doctor", "--json", *arguments, env={**NO_PROXIES, **variables})
    document = json.loads(ended.out)
    assert ended.code == (0 if document["ok"] else 1)
    assert ended.err == ""
    assert variables.get("QQBOT_SECRET", "no secret") not in ended.out
    return document


def first(document: dict[str, Any], check: str, *words: str) -> None:
    """The first finding is the fault `check`; it has these words, and what to do in two languages."""
    finding = document["findings"][0]
    assert (document["first"], finding["check"], finding["status"]) == (check, check, "fault"), document
    assert finding["zh"] and finding["en"], finding
    for word in words:
        assert word in finding["text"], finding


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {each["check"]: each["status"] for each in reversed(document["findings"])}


@asynccontextmanager
async def proxy_that_answers(line: str) -> AsyncIterator[str]:
    """An HTTP proxy that refuses every CONNECT with this status line."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"http://someone:pass-word@127.0.0.1:{server.sockets[0].getsockname()[1]}"


# All is well


async def test_no_fault(sim: Simulator, store: Server, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    document = await diagnosis(tmp_path / "bot.py", **environment(sim, QQBOT_REDIS_URL=store.url))
    assert (document["ok"], document["first"]) == (True, None)
    found = statuses(document)
    assert set(CHECKS) - set(found) == {"ipv6", "address", "etcd"}
    not_ok = {name for name, status in found.items() if status != "ok"}
    assert not_ok == (set() if neighbours.can_look() else {"processes"})
    assert sim.identifies == [], "a session was created"
    assert sim.violations == []


async def test_the_intents_are_tried_with_one_session(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    document = await diagnosis("--identify", tmp_path / "bot.py", **environment(sim))
    assert statuses(document)["intents"] == "ok"
    assert len(sim.identifies) == 1
    assert sim.violations == []


async def test_as_text(sim: Simulator) -> None:
    code, out, err = await run("doctor", env=environment(sim))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert any(line.startswith("ok      token: ") for line in lines)
    assert any(line.startswith("-       intents: ") for line in lines), "without a file, intents are not checked"
    assert lines[-1] == "No fault. 没有发现故障"


# The ten faults


async def test_a_wrong_secret(sim: Simulator) -> None:
    first(await diagnosis(**environment(sim, QQBOT_SECRET="not-the-right-one")), "token", "100016")


async def test_an_address_that_is_not_allowed(sim: Simulator) -> None:
    body = {"code": 11298, "message": "the IP 203.0.113.7 is not on the white list"}
    sim.faults.add("GET /gateway/bot", Http(401, body=body), times=0)
    first(await diagnosis(**environment(sim)), "address", "11298", "the platform saw 203.0.113.7")


async def test_a_clock_that_is_an_hour_behind(sim: Simulator) -> None:
    await sim.clock.advance(hours=1)
    first(await diagnosis(**environment(sim)), "clock", "behind the platform", "36")


async def test_a_clock_that_is_an_hour_ahead(sim: Simulator) -> None:
    earlier = formatdate(time.time() - 3600, usegmt=True)
    sim.faults.add("GET *", Http(401, headers={"Date": earlier}), times=2)
    first(await diagnosis(**environment(sim)), "clock", "ahead of the platform", "36")


async def test_a_name_that_is_not_found(sim: Simulator) -> None:
    document = await diagnosis(**environment(sim, QQBOT_API_BASE="https://api.invalid"))
    first(document, "dns", "api.invalid")
    assert statuses(document)["token"] == "skipped"


@pytest.mark.parametrize("line", ["407 Proxy Authentication Required", "403 Forbidden"])
async def test_a_proxy_that_refuses(sim: Simulator, line: str) -> None:
    async with proxy_that_answers(line) as proxy:
        variables = environment(sim, QQBOT_API_BASE="https://api.invalid", https_proxy=proxy)
        document = await diagnosis(**variables)
    first(document, "proxy", line[:3], "***@127.0.0.1")
    assert "pass-word" not in json.dumps(document)


@pytest.mark.parametrize("line", ["407 Proxy Authentication Required", "403 Forbidden"])
async def test_a_proxy_of_the_bot_that_refuses(sim: Simulator, tmp_path: Path, line: str) -> None:
    async with proxy_that_answers(line) as proxy:
        (tmp_path / "bot.py").write_text(BOT.replace("Bot()", f"Bot(proxy={proxy!r})"))
        document = await diagnosis(tmp_path / "bot.py", **environment(sim))
    first(document, "proxy", line[:3], "***@127.0.0.1")
    assert "pass-word" not in json.dumps(document)


async def test_a_proxy_that_is_not_there(sim: Simulator) -> None:
    variables = environment(sim, QQBOT_API_BASE="https://api.invalid", https_proxy=f"http://127.0.0.1:{free_port()}")
    first(await diagnosis(**variables), "proxy", "127.0.0.1")


async def test_a_budget_that_is_used_up() -> None:
    async with Simulator(total=0) as sim:
        first(await diagnosis(**environment(sim)), "budget", "0 of 0 sessions left")


async def test_an_intent_that_is_refused(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(PRIVATE_BOT)
    document = await diagnosis("--identify", tmp_path / "bot.py", **environment(sim))
    first(document, "intents", "4014", "GUILD_MESSAGES", "read_along")
    assert len(sim.identifies) == 1


async def test_an_intent_that_will_be_refused_costs_no_session(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(PRIVATE_BOT)
    document = await diagnosis(tmp_path / "bot.py", **environment(sim))
    first(document, "intents", "40012010", "GUILD_MESSAGES", "read_along")
    assert sim.identifies == []
    assert sim.violations == []


async def test_an_intent_that_may_be_refused_is_a_warning(sim: Simulator, tmp_path: Path) -> None:
    sim.faults.add("GET /guilds/0/members", Http(400), times=0)
    (tmp_path / "bot.py").write_text(PRIVATE_BOT)
    document = await diagnosis(tmp_path / "bot.py", **environment(sim))
    finding = document["findings"][0]
    assert (finding["check"], finding["status"]) == ("intents", "warning")
    assert "read_along" in finding["text"] and "--identify" in finding["en"]
    assert sim.identifies == []


@pytest.mark.parametrize("options", [(), ("--identify",)])
async def test_a_private_bot_gets_its_intents(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(PRIVATE_BOT)
    async with Simulator(profile="private") as sim:
        document = await diagnosis(*options, tmp_path / "bot.py", **environment(sim))
        assert statuses(document)["intents"] == "ok"
        assert len(sim.identifies) == len(options)


async def test_redis_is_down(sim: Simulator) -> None:
    variables = environment(sim, QQBOT_REDIS_URL=f"redis://:pass-word@127.0.0.1:{free_port()}")
    document = await diagnosis(**variables)
    first(document, "redis", "does not answer")
    assert "pass-word" not in json.dumps(document)


async def test_an_eviction_policy(sim: Simulator, store: Server) -> None:
    async with store.client() as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
    first(await diagnosis(**environment(sim, QQBOT_REDIS_URL=store.url)), "eviction", "allkeys-lru")


@linux
async def test_another_process_of_this_bot(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    async with qqbot("run", "bot.py", env=environment(sim), cwd=tmp_path) as other:
        await other.line("err", "identified")
        document = await diagnosis("--identify", tmp_path / "bot.py", **environment(sim))
        first(document, "processes", str(other.process.pid), "another process runs this bot")
        assert len(sim.identifies) == 1, "the doctor must not end the session of the other process"
        assert (await other.stopped()).code == 0


# More than the ten


@linux
async def test_a_bot_in_the_process_of_the_simulator(sim: Simulator) -> None:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    async with sim.run(bot):
        first(await diagnosis(**environment(sim)), "processes")


@linux
async def test_processes_that_share_the_shards_are_no_fault(sim: Simulator, store: Server, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    variables = environment(sim, QQBOT_REDIS_URL=store.url)
    async with qqbot("run", "bot.py", env=variables, cwd=tmp_path) as other:
        await other.line("err", "joined its cluster")
        document = await diagnosis(**variables)
        assert document["ok"], document
        assert "1 processes share" in next(each["text"] for each in document["findings"] if each["check"] == "redis")


async def test_no_credentials(sim: Simulator) -> None:
    document = await diagnosis(QQBOT_API_BASE=sim.api_base)
    first(document, "configuration", "no credentials")
    assert statuses(document)["connection"] == "ok", "what needs no credentials is checked all the same"


async def test_a_host_that_does_not_listen(sim: Simulator) -> None:
    document = await diagnosis(**environment(sim, QQBOT_API_BASE=f"http://127.0.0.1:{free_port()}"))
    first(document, "connection", "127.0.0.1")


async def test_a_certificate_of_a_private_authority(sim: Simulator) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        base = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        document = await diagnosis(**environment(sim, QQBOT_API_BASE=base))
    first(document, "connection", "TLS failed", "the clock shows")


async def test_a_password_that_redis_refuses(sim: Simulator, store: Server) -> None:
    url = store.url.replace("redis://", "redis://nobody:pass-word@")
    document = await diagnosis(**environment(sim, QQBOT_REDIS_URL=url))
    first(document, "redis", "refuses the user or the password")
    assert "pass-word" not in json.dumps(document)


async def test_etcd_in_place_of_redis(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    async with etcd() as servers:
        variables = environment(sim, QQBOT_ETCD_URL=servers.url)
        document = await diagnosis(tmp_path / "bot.py", **variables)
        assert (document["ok"], statuses(document)["etcd"], statuses(document)["redis"]) == (True, "ok", "skipped")
        url = servers.url.replace("://", "://nobody:pass-word@")
        document = await diagnosis(**environment(sim, QQBOT_ETCD_URL=url))
        first(document, "etcd", "refuses the user or the password")
        assert "pass-word" not in json.dumps(document)
        servers.kill()
        first(await diagnosis(**variables), "etcd", "does not answer")


async def test_two_stores(sim: Simulator) -> None:
    code, _, err = await run("doctor", env=environment(sim, QQBOT_ETCD_URL="etcd://h", QQBOT_REDIS_URL="redis://h"))
    assert code == 3 and "unset one of them" in err


async def test_a_proxy_that_cannot_be_used_is_a_warning(sim: Simulator) -> None:
    document = await diagnosis(**environment(sim, all_proxy="socks5://u:pass-word@127.0.0.1:1080"))
    finding = document["findings"][0]
    assert (finding["check"], finding["status"]) == ("proxy", "warning")
    assert "ALL_PROXY" in finding["text"] and "pass-word" not in json.dumps(document)


async def test_a_misspelt_variable_is_a_warning(sim: Simulator) -> None:
    document = await diagnosis(**environment(sim, QQBOT_SECRETFILE="x"))
    assert "QQBOT_SECRET_FILE" in document["findings"][0]["text"]


async def test_the_env_file_is_read(sim: Simulator, tmp_path: Path) -> None:
    lines = (f"{name}={value}" for name, value in environment(sim).items())
    (tmp_path / ".env").write_text("\n".join(lines))
    assert (await run("doctor", cwd=tmp_path)).code == 0


async def test_a_file_that_cannot_be_loaded_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("1 / 0")
    code, out, err = await run("doctor", tmp_path / "bot.py")
    assert (code, out) == (3, "")
    assert "ZeroDivisionError" in err
    assert (await run("doctor", tmp_path / "absent.py")).code == 3


def test_help_names_checks_costs_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(name in out for name in CHECKS)
    assert "costs one session" in " ".join(out.split())
    assert "Exit codes: 0 no fault, 1" in out
