"""The load script, with little load: nothing is lost, every call is acknowledged. Times are for an idle machine."""

from bench.webhook import measure


async def test_nothing_is_lost() -> None:
    figures = await measure(rate=200, seconds=2)
    assert (figures.sent, figures.acknowledged, figures.lost) == (400, 400, 0)
    assert 0 < figures.p50 <= figures.p99 <= figures.longest
