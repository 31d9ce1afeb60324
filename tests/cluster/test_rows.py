"""A short selection of the rows of `python -m tests.cluster`, and the checker itself."""

import pytest

from tests.cli.program import python
from tests.cluster import checker
from tests.cluster.checker import Logs, Ownership
from tests.cluster.cluster_run import ROOT
from tests.cluster.gateway import Gateway
from tests.cluster.rows import SHORT, Row, kill, rolling_deploy, store_restart_empty
from tests.cluster.stores import etcd


@pytest.mark.timeout(180)
@pytest.mark.parametrize("row", [kill, store_restart_empty, rolling_deploy])
async def test_row(row: Row) -> None:
    wrong, figures = await row(1, SHORT)  # type: ignore[call-arg]
    assert not wrong, "\n".join([str(figures), *wrong])


@pytest.mark.timeout(180)
async def test_row_on_etcd() -> None:
    wrong, figures = await kill(1, SHORT, store=etcd)
    assert not wrong, "\n".join([str(figures), *wrong])


@pytest.mark.parametrize(
    ("row", "words"), [("flushall", "flushall is a row of redis"), ("nonsense", "there is no row nonsense")]
)
async def test_a_row_that_etcd_has_not(row: str, words: str) -> None:
    async with python("-m", "tests.cluster", "--store", "etcd", row, cwd=ROOT) as run:
        finished = await run.finished()
    assert finished.code == 2 and words in finished.err


def test_the_checker_sees_what_must_not_be() -> None:
    logs = Logs()
    logs.ownerships[1, 0] = {5: Ownership(5, "a", 0.0, 2.0), 6: Ownership(6, "b", 1.9, 3.0)}
    assert len(checker.overlaps(logs)) == 1 and not checker.falling_tokens(logs)
    logs.ownerships[1, 0] = {5: Ownership(5, "a", 2.0, 3.0), 6: Ownership(6, "b", 0.0, 1.0)}
    assert not checker.overlaps(logs) and len(checker.falling_tokens(logs)) == 1
    gateway = Gateway(shards=2, concurrency=2, rate=0)
    gateway.identifies = [(0.0, (0, 2)), (0.5, (1, 2)), (0.9, (0, 2))]
    gateway.lags = [0.0, 0.0, 0.0]
    assert checker.crowded(gateway, 1.0) and not checker.crowded(gateway, 0.9)
    logs.dispatches[1, 0] = [1.0, 4.0]
    assert checker.gaps(logs, 0.5, 5.0) == {(1, 0): 3.0}
