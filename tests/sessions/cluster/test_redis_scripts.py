"""What only the scripts of Redis do: they read the server's clock, and are loaded again; see also `test_store`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from qqbot.sessions.cluster.store import PermitAnswer
from tests.redis.servers import ENGINES, Engine
from tests.sessions.cluster.stores import TIMINGS, A, InRedis, in_redis

pytestmark = pytest.mark.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture
async def cluster(engine: Engine) -> AsyncIterator[InRedis]:
    async with AsyncExitStack() as stack:
        yield await in_redis(engine, stack)


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_a_step_of_the_clock_holds_identifies_for_one_window(cluster: InRedis, step: float) -> None:
    (a,) = await cluster.claim("a", A)
    store = await cluster.store("a")
    assert (await store.permit(A, a.token, 1))[0] == 1
    now = (await store.look()).now
    await cluster.meta("last", round((now - step) * 1000))
    answer, wait = await store.permit(A, a.token, 1)
    assert answer is PermitAnswer.LATER and wait == pytest.approx(TIMINGS.window + TIMINGS.permit, abs=0.05)


async def test_scripts_are_loaded_again_if_the_server_forgot_them(cluster: InRedis) -> None:
    await cluster.sync("a")
    await cluster.raw.script_flush()
    assert (await cluster.sync("a")).state.nodes["a"].beat == 2
