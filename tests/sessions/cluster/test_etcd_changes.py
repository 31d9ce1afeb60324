"""`Change` and `EtcdStore` with records that another program wrote: what cannot be read is lost, and ends no node."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqbot.models.codec import encode
from qqbot.sessions.cluster.etcd_changes import CallingNode, Change, Records
from qqbot.sessions.cluster.etcd_client import KeyValue
from qqbot.sessions.cluster.etcd_store import _fields, _logged
from qqbot.sessions.cluster.records import read_cluster_state
from qqbot.sessions.cluster.state import ClusterHalt, ClusterState, NodeInfo, write
from qqbot.sessions.cluster.store import OwnershipReport

SHARD = (1, 0)
NODE = CallingNode(node="a", timings="1 2 3 4 5 6", clock=1_700_000_000_000)
COORD = (
    *(f"m:{name}" for name in ("schema", "cluster", "inc", "ov", "tok", "log", "gen", "shards", "next", "target")),
    *("m:timings", "m:halt", "n:a", "n:b", "d:a", "o:1.0", "o:1.1", "o:2.0", "o:x", "o:"),
)
LIMIT = tuple(f"m:{n}" for n in ("gateway", "gateway_at", "asked", "budget", "budget_reset", "reset_after", "pace"))
VALUES = (
    st.text(max_size=20)
    | st.integers(-(10**14), 10**14).map(str)
    | st.sampled_from(
        ["4 restart", "5:a", "5:b", "5:", "7:1:A:{}", "7:1:A:", "3:9", '{"code":1,"reason":"x"}', "9" * 5000]
    )
)


def fresh() -> Records:
    """The records of a cluster in which a owns both shards."""
    change = Change(Records(cluster_id="7"), NODE)
    assert change.admin("plan", 2)
    change.sync("active", NodeInfo(), (), known=ClusterState(), target_active=0)
    state = read_cluster_state(change.coord, {})
    change.finish()
    state = read_cluster_state(change.coord, {})
    assert change.claim(state, ["1.0", "1.1"], 0)
    change.finish()
    return Records(cluster_id="7", coord=change.coord, limit=change.limit, beats={"a": 5})


GOOD = fresh()


KNOWN = ClusterState(gen=1, shards=2)
REPORT = OwnershipReport(SHARD, 5, "{}")
CALLS: tuple[Callable[[Change, ClusterState], object], ...] = (
    lambda change, _: change.sync("active", NodeInfo(), [REPORT], known=KNOWN, target_active=1),
    lambda change, state: change.claim(state, ["1.0", "1.1", "2.0"], 0),
    lambda change, _: change.release(REPORT),
    lambda change, _: change.permit("1.0", 5, 1, lambda *_: 0.0),
    lambda change, _: change.admin("ask", 1, 1),
    lambda change, _: change.admin("gateway", "{}", 5, 60_000),
    lambda change, _: change.admin("halt", write(ClusterHalt(1, "x"))),
    lambda change, state: change.admin("begin", state.version, "4"),
    lambda change, state: change.admin("switch", state.version),
    lambda change, state: change.admin("abort", state.version),
    lambda change, _: change.admin("drain", "a"),
    lambda change, state: change.restore(state, {SHARD: "{}"}),
    lambda change, state: [change.evict(state, node.id, node.stamp) for node in state.nodes.values()],
    lambda change, _: change.admin("unhalt"),
    lambda change, _: change.admin("plan", 3),
)


def use(coord: Mapping[str, str], limit: Mapping[str, str]) -> None:
    """Let every call change the records, one after another."""
    fields, limits = dict(coord), dict(limit)
    for number, call in enumerate(CALLS):
        records = Records(cluster_id="7", coord=fields, limit=limits, beats={"a": 5 + number})
        change = Change(records, NODE)
        call(change, read_cluster_state(records.fields, {}))
        change.finish()
        fields, limits = (_fields(encode(each)) for each in (change.coord, change.limit))
        assert (fields, limits) == (change.coord, change.limit), "what was written cannot be read again"
        after = read_cluster_state(fields, {})
        assert after.incarnation > 0 and after.version > 0 and len(fields["m:tok"]) <= 15


@given(
    coord=st.dictionaries(st.sampled_from(COORD) | st.text(max_size=9), VALUES),
    limit=st.dictionaries(st.sampled_from(LIMIT), VALUES),
)
@settings(deadline=None)
def test_any_records(coord: dict[str, str], limit: dict[str, str]) -> None:
    use(coord, limit)
    use(GOOD.coord | coord, GOOD.limit | limit)


@pytest.mark.parametrize("value", ["9" * 5000, "9" * 16, "-1", "nan", "", "\ufffd", "x" * 100_000], ids=range(7))
def test_each_record(value: str) -> None:
    for name in COORD:
        use(GOOD.coord | {name: value}, GOOD.limit)
    for name in LIMIT:
        use(GOOD.coord, GOOD.limit | {name: value})


@given(
    value=st.binary() | st.text().map(str.encode) | st.sampled_from([b'{"a":"\\ud800"}', b'{"at":"x"}', b"[" * 5000])
)
def test_reading_raises_nothing(value: bytes) -> None:
    encode(_fields(value))
    encode(_logged(KeyValue(value=value, mod_revision=3)))
