import pytest

from qqbot.errors import ConfigError
from qqbot.models.gateway import shard_of


@pytest.mark.parametrize(
    ("guild", "count", "shard"),
    [("18700000000001", 1, 0), ("4194304", 4, 1), (4194303, 4, 0), ("20971520", 4, 1), (str(2**64 - 1), 16, 15)],
)
def test_shard_of(guild: str | int, count: int, shard: int) -> None:
    assert shard_of(guild, count) == shard


@pytest.mark.parametrize("guild", ["", "C9F778FE", "-1", -1, "1.5", "٣"])
def test_what_is_no_guild_has_no_shard(guild: str | int) -> None:
    with pytest.raises(ConfigError, match="not a guild id"):
        shard_of(guild, 2)


def test_there_is_at_least_one_shard() -> None:
    with pytest.raises(ConfigError, match="at least 1 shard"):
        shard_of("1", 0)
