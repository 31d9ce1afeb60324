"""`RedisStore` before a node joins: what a server cannot do is reported at once, and nothing is half started."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qqbot.config import Credentials
from qqbot.errors import ConfigError
from qqbot.sessions import RedisSessionManager, Timings
from qqbot.sessions.cluster.redis_store import RIGHTS
from tests.redis.servers import ENGINES, Engine, Server, started
from tests.sessions.cluster.members import FAST, Platform, Shards, joined, until

USER = ("ACL", "SETUSER", "bot", "on", ">pw", "~qqbot:*")


async def refusal(url: str, *, timings: Timings = FAST, selection: str = "6") -> str:
    """Run a node that cannot start; return its error. No shard was touched."""
    platform, shards = Platform(selection), Shards()
    with pytest.raises(ConfigError) as refused:
        async with asyncio.timeout(20):
            await RedisSessionManager(url, timings=timings).run(platform, shards)
    assert not shards.began_with and not platform.calls
    assert "hunter2" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost", "redis+sentinel://localhost:1", "redis+cluster://:hunter2@h:x"]
)
def test_a_wrong_url(url: str) -> None:
    with pytest.raises(ConfigError, match="Redis URL") as refused:
        RedisSessionManager(url)
    assert "hunter2" not in str(refused.value)


async def test_a_wrong_password(engine: Engine) -> None:
    async with started(engine, "--requirepass", "right") as server:
        for url in (server.url, server.url.replace("://", "://:hunter2@")):
            assert "refuses the user or the password" in await refusal(url)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("-info", "info"),
        ("-time", "TIME"),
        ("-xadd", "XADD"),
        ("-hset", "HSET"),
        ("-evalsha", "evalsha"),
        ("-xread", "xread"),
    ],
)
async def test_a_missing_right_is_named(store: Server, missing: str, named: str) -> None:
    async with store.client() as client:
        await client.execute_command(*USER, "+@all", missing)
        words = await refusal(store.url.replace("://", "://bot:pw@"))
        assert named.lower() in words.lower().partition("needed:")[0] and "+info" in words
        assert await client.keys("*") == []


async def test_keys_out_of_reach(store: Server) -> None:
    async with store.client() as client:
        await client.execute_command("ACL", "SETUSER", "bot", "on", ">pw", "~other:*", "+@all")
        assert "~qqbot:*" in await refusal(store.url.replace("://", "://bot:pw@"))


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_the_rights_that_are_named_are_enough(store: Server) -> None:
    async with store.client() as client:
        await client.execute_command("ACL", "SETUSER", "bot", "on", ">pw", *RIGHTS.split())
    async with joined(store.url.replace("://", "://bot:pw@"), Platform()) as a:
        await until(lambda: len(a.indices) == 6)
        async with a.manager.sharing(Credentials("1", "s")) as shared:
            assert shared.seen is not None and await shared.seen.add("event") and await shared.seen.contains("event")


@asynccontextmanager
async def pretender(version: str) -> AsyncIterator[str]:
    """A server that only answers with its version."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                await reader.readline()
                words.append((await reader.readline()).strip().upper())
            info = f"# Server\r\nredis_version:{version}\r\n".encode()
            answers = {b"INFO": b"$%d\r\n%s\r\n" % (len(info), info)}
            if version >= "6":
                answers[b"HELLO"] = b"%2\r\n$5\r\nproto\r\n:3\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
            writer.write(answers.get(words[0], b"-ERR unknown command\r\n"))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_too_old() -> None:
    async with pretender("6.0.16") as url:
        assert "version 6.0.16: at least 6.2" in await refusal(url)
    async with pretender("5.0.14") as url:
        assert "at least 6.2" in await refusal(url)


async def test_a_policy_that_drops_keys_is_a_warning(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async with started(engine, "--maxmemory-policy", "allkeys-lru") as server, joined(server.url, Platform()) as a:
        await until(lambda: len(a.indices) == 6)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("allkeys-lru" in text and "noeviction" in text for text in warnings)


async def test_records_of_another_form(store: Server) -> None:
    async with store.client() as client:
        await client.hset("qqbot:{1:default}:coord", "m:schema", "7")
        assert "form 7" in await refusal(store.url)


async def test_other_timings_than_the_cluster_uses(store: Server) -> None:
    other = Timings().scaled(0.11)
    async with joined(store.url, Platform()) as a:
        await until(lambda: len(a.indices) == 6)
        assert FAST.shared in await refusal(store.url, timings=other)
        await a.vanish()
        async with joined(store.url, Platform(), timings=other) as b:  # no member is alive: its timings hold now
            await until(lambda: len(b.indices) == 6)


async def test_a_fixed_part_of_the_shards(store: Server) -> None:
    assert "Bot(shards=16)" in await refusal(store.url, selection="0-3/16")


@pytest.mark.parametrize("options", [{"cluster": "a b"}, {"cluster": ""}, {"name": "x" * 60}, {"role": "boss"}])
def test_names_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        RedisSessionManager("redis://localhost", **options)  # type: ignore[arg-type]


def test_the_url_is_not_shown() -> None:
    assert "hunter2" not in repr(RedisSessionManager("redis://:hunter2@localhost"))


async def test_a_server_that_is_not_there_is_waited_for(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    store.kill()
    async with joined(store.url, Platform()) as a:
        await asyncio.sleep(FAST.renew * 2)
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1 and "does not answer" in warnings[0].getMessage()
        await store.start()
        await until(lambda: len(a.indices) == 6)
