"""From a URL to a client."""

import asyncio
import contextlib
import traceback

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from qqbot.errors import ConfigError
from qqbot.redis.connection import connected, hash_tag, shown, within
from tests.redis.servers import ENGINES, PATIENCE, Engine, Server, as_cluster, started, until, with_sentinels


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_a_server(engine: Engine) -> None:
    async with started(engine) as server, connected(f"{server.url}/3") as client:
        await client.set("a", 1)
        async with server.client(db=3) as other:
            assert await other.get("a") == b"1"


async def test_a_socket_and_a_password(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "store.sock"
    server = started(engine, "--unixsocket", str(path), "--requirepass", "p@ss/wörd")
    async with server, connected(f"unix://:p%40ss%2Fw%C3%B6rd@{path}") as client:
        assert await client.ping()


async def test_the_master_that_sentinels_name(engine: Engine) -> None:
    async with with_sentinels(engine, replicas=0, sentinels=2, password="s3cret") as watched:
        url = watched.url.replace("://", "://:s3cret@")
        async with connected(url) as client:
            await client.set("a", 1)
            async with watched.servers[0].client(password="s3cret") as direct:
                assert await direct.get("a") == b"1"


async def test_a_cluster(engine: Engine) -> None:
    async with as_cluster(engine) as servers:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers[1:])
        async with connected(f"redis+cluster://{hosts}") as client:
            for key in ("a", "b", "c", "d"):
                await client.set(key, 1)


async def test_a_sentinel_that_hangs_does_not_hold_us_up(engine: Engine) -> None:
    async with with_sentinels(engine, replicas=0, sentinels=3) as watched:
        watched.sentinels[0].freeze()
        async with connected(watched.url) as client:
            assert await within(PATIENCE, client.ping())
        watched.sentinels[0].thaw()


async def test_nothing_is_repeated_and_nobody_waits_for_ever(store: Server) -> None:
    async with connected(store.url) as client:
        await client.ping()
        store.freeze()
        with pytest.raises(TimeoutError):
            await within(0.2, client.incr("a"))
        store.thaw()
        async with store.client() as other:

            async def sent_once() -> bool:
                return await other.get("a") == b"1"

            await until(sent_once)
        assert await client.incr("a") == 2, "an answer that came late is not the answer to the next command"
    store.kill()
    async with connected(store.url) as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()


async def test_a_cancellation_that_the_library_lost_is_raised() -> None:
    async def loses_one() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE)
        return "an answer"

    async def fails_after_one() -> str:
        await loses_one()
        raise RedisConnectionError

    for command in (loses_one, fails_after_one):
        task = asyncio.create_task(within(PATIENCE, command()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "http://:hunter2@host",
        "user:hunter2@redis://host",
        "redis+magic://:hunter2@host",
        "redis+sentinel://:hunter2@host:1",
        "redis+sentinel://:hunter2@host:x/main",
        "redis+sentinel://:hunter2@/main",
        "redis+sentinel://:hunter2@host/main/x",
        "redis+cluster://:hunter2@",
        "redis://:hunter2@host:x",
        "redis://:hunt#er2@host:1",
        "redis://host?hunter2=1",
        "redis+sentinel://host/main?hunter2=1",
        "redis+cluster://host?hunter2=1",
        "redis://host?db=hunter2",
        "redis://[hunter2",
        "redis://user:12?hunter2@host",
        "redis://user:12/hunter2@host",
        "redis://user:12#hunter2@host?stream=x",
        "redis+cluster://user:12?hunter2@host",
        "redis://host/main",
        "redis://host:99999",
        "redis+cluster://host/1",
        "rediss://host?ssl_ca_certs=/hunter2",
    ],
)
async def test_a_wrong_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="Redis URL") as refused:
        async with connected(url):
            pass
    assert "er2" not in "".join(traceback.format_exception(refused.value))


def test_a_url_is_shown_without_its_secrets() -> None:
    assert shown("rediss://me:p@ss?word@host:1/0?password=x") == "rediss://host:1/0"
    assert shown("redis+sentinel://:x@a:1,b:2/main") == "redis+sentinel://a:1,b:2/main"
    assert shown("hunter2") == "(no URL)"


def test_the_name_of_a_cluster() -> None:
    assert hash_tag("1", "my-bot_2.x") == "{1:my-bot_2.x}"
    for name in ("", "a" * 65, "a b", "a}b", "ä", "a\n"):
        with pytest.raises(ConfigError, match="cluster="):
            hash_tag("1", name)
