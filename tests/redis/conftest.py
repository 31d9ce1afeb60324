import pytest

from tests.redis.servers import engine, store

__all__ = ["engine", "store"]


@pytest.fixture(autouse=True)
def patience_with_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers late on a busy machine is no store that is away; where one is, the tests say how long."""
    monkeypatch.setattr("qqbot.redis.circuit_breaker.ANSWER_SECONDS", 5.0)
