from collections.abc import AsyncGenerator

import pytest

from tests.api.scripted import Scripted


@pytest.fixture
async def platform() -> AsyncGenerator[Scripted]:
    async with Scripted() as scripted:
        yield scripted
