from collections.abc import AsyncIterator

import pytest

from qqbot.testing import Simulator
from tests.simulator.bare import BareBot


@pytest.fixture
async def bot(sim: Simulator) -> AsyncIterator[BareBot]:
    async with BareBot(sim) as bot:
        yield bot
