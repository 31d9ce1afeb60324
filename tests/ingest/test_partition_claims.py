"""Which worker owns a partition that several have announced: pure, so by cases."""

from qqbot.ingest.partition_claims import PartitionClaims


def test_the_first_one_owns_it_as_long_as_it_announces_it() -> None:
    claims = PartitionClaims()
    claims.announce("a", [1, 2])
    claims.announce("b", [2, 3])
    assert [claims.owner(index) for index in range(5)] == [None, "a", "a", "b", None]
    claims.announce("a", [2])
    assert [claims.owner(index) for index in range(5)] == [None, None, "a", "b", None]
    claims.announce("a", [])
    assert claims.owner(2) == "b"
    claims.announce("a", [2])
    assert claims.owner(2) == "b", "it has lost its place"


def test_a_dead_worker_is_followed_by_the_next_one_that_had_announced_it() -> None:
    claims = PartitionClaims()
    claims.announce("dead", [1])
    claims.announce("b", [1])  # it never heard of the dead one
    assert claims.owner(1) == "dead"
    claims.keep({"b", "c"})
    assert claims.owner(1) == "b", "c must not claim it before b announces it once more"
    claims.announce("c", [1])
    assert claims.owner(1) == "b"
