"""The rows that etcd has: those of any store, and what can only happen to etcd.

Collaborators: `rows` (the others, and the parts of a row).
"""

import asyncio
from functools import partial

from qqbot.aio.clock import steady
from tests.cluster.cluster_run import ClusterRun
from tests.cluster.rows import STORE_ROWS, Result, Row, cluster, finish, leases_outlive_observers, shares, takeover
from tests.cluster.stores import EtcdStoreServer, etcd

ETCD_ROWS: dict[str, Row] = {name: partial(function, store=etcd) for name, function in STORE_ROWS.items()}
ETCD_MUTATIONS: dict[str, Row] = {"leases-outlive-observers": partial(leases_outlive_observers, store=etcd)}


def row(function: Row) -> Row:
    ETCD_ROWS[function.__name__.replace("_", "-")] = function
    return function


def etcd_of(run: ClusterRun) -> EtcdStoreServer:
    assert isinstance(run.server, EtcdStoreServer)
    return run.server


@row
async def restart(seed: int) -> Result:
    """etcd restarted with its data, then an owner killed"""
    async with cluster(4, seed=seed, store=etcd) as (run, nodes):
        before = len(run.gateway.resumes)
        await run.server.restart()
        await asyncio.sleep(1)
        run.figures["resumes by the restart"] = len(run.gateway.resumes) - before
        wrong = ["a restart that leases outlive cost resumes"] if len(run.gateway.resumes) > before else []
        shard_ids, at = run.owned(nodes[-1]), steady()
        nodes[-1].kill()
        wrong += await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def restart_empty(seed: int) -> Result:
    """etcd restarted without its data"""
    async with cluster(4, seed=seed, store=etcd) as (run, _):
        before = len(run.gateway.resumes)
        run.store_lost = True
        await etcd_of(run).members.restart(empty=True)
        await asyncio.sleep(1.3 * run.timings["observe"])
        wrong = []
        if len(run.gateway.resumes) > before:
            wrong.append(f"G7: {len(run.gateway.resumes) - before} needless resumes")
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def member_loss(seed: int) -> Result:
    """the leader of three members dies, then an owner; then the member comes back"""
    async with cluster(4, seed=seed, store=partial(etcd, 3)) as (run, nodes):
        members, leader = etcd_of(run).members, etcd_of(run).first
        before, at = len(run.gateway.resumes), steady()
        members.kill(leader)
        await run.answers()
        run.figures["failover"] = steady() - at
        await asyncio.sleep(1.2 * run.timings["observe"])
        await run.settled(shares(run.options.shards, 4))
        run.figures["resumes by the loss"] = len(run.gateway.resumes) - before
        wrong = ["a new leader cost resumes"] if len(run.gateway.resumes) > before else []
        shard_ids, at = run.owned(nodes[-1]), steady()
        nodes[-1].kill()
        wrong += await takeover(run, shard_ids, at)
        await members.restart(leader)
        await run.settled(shares(run.options.shards, 3))
        rest, figures = await finish(run)
        return wrong + rest, figures
