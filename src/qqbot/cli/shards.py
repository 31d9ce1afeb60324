"""`qqbot shards`: show which node runs which shard of a cluster, and steer the whole cluster.

Responsible for the command's arguments, tables and JSON documents. Collaborators: `OpenStore` (reads and changes the
records), `Resharder`'s rule for the sessions that a roll needs. It is no member of the cluster and owns no shard.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from .._visible import visible_line
from ..bot.program import EXIT_CREDENTIALS, configure_logging
from ..config import ClusterConfig, variable
from ..errors import ConfigError
from .terminal import EXIT_FAILED, CommandFailed, show, show_json

if TYPE_CHECKING:
    from ..sessions.base import ClusterView, ShardView
    from ..sessions.cluster.store import OpenStore

HELP = "show and steer the shards that processes share through Redis or etcd"
WATCH_SECONDS = 2.0
DRAIN_SECONDS = 60.0
LOG_ENTRIES = 2000

Rows = list[list[str]]
Show = Callable[["OpenStore"], Awaitable[tuple[object, Rows]]]


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Show and steer the cluster that QQBOT_REDIS_URL (or QQBOT_ETCD_URL), QQBOT_CLUSTER and QQBOT_APP_ID name."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    parser.set_defaults(command=_run, show=_shards, watch=False, json=False)
    for name, help_, shown in (
        ("ls", "every shard: its node, session, lag, heartbeat (the default)", _shards),
        ("nodes", "every node", _nodes),
        ("log", "what happened last", _log),
    ):
        action = actions.add_parser(name, help=help_)
        action.add_argument("--watch", action="store_true", help=f"again every {WATCH_SECONDS:g} s")
        action.add_argument("--json", action="store_true", help="as JSON, one document")
        action.set_defaults(show=shown)
    drain = actions.add_parser("drain", help="let a node give its shards away; return when it has none left")
    drain.add_argument("node", metavar="NODE", help="a node's id, or its name without the last part")
    drain.set_defaults(act=_drain)
    halt = actions.add_parser("halt", help="end every node; none connects until unhalt")
    halt.add_argument(
        "reason",
        metavar="REASON",
        nargs="?",
        default="halted by hand",
        help="the reason, which the error of each node names",
    )
    halt.set_defaults(act=_halt)
    actions.add_parser("unhalt", help="let nodes connect again").set_defaults(act=_unhalt)
    roll = actions.add_parser("roll", help="change the number of shards without a gap")
    roll.add_argument("shards", metavar="S", help="the new number, best a multiple of the old one; or: abort")
    roll.add_argument(
        "--restart",
        action="store_true",
        help="end the old shards before the new ones connect, if the platform refuses both at once: events of the "
        "gap are not delivered",
    )
    roll.set_defaults(act=_roll)


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    try:
        asyncio.run(_connected(arguments))
    except KeyboardInterrupt:
        if not arguments.watch:
            raise


async def _connected(arguments: argparse.Namespace) -> None:
    from ..sessions.cluster.manager import manager_of
    from ..sessions.cluster.store import StoreAway

    config, app_id = ClusterConfig.from_env(), variable("QQBOT_APP_ID")
    if config is None or not app_id:
        raise ConfigError(
            "set QQBOT_REDIS_URL (or QQBOT_ETCD_URL) and QQBOT_APP_ID (and QQBOT_CLUSTER) as for the bot itself. "
            "请像运行机器人时一样设置 QQBOT_REDIS_URL（或 QQBOT_ETCD_URL）和 QQBOT_APP_ID"
        )
    manager, failure = manager_of(config), _failure_of_redis if config.store == "redis" else _failure_of_etcd
    try:
        async with manager.store(app_id) as reader:
            timings = (await reader.look()).timings
        async with manager.store(app_id, shared=timings) as writer:  # its calls take the cluster's own timings
            if "act" in arguments:
                show(await arguments.act(writer, arguments))
            else:
                await _show(writer, arguments)
    except StoreAway as error:
        raise failure(error, error.__context__) from None


def _failure_of_redis(error: Exception, cause: BaseException | None) -> CommandFailed:
    """Return the words and the exit code for an error of the store; `cause`: what its client raised."""
    from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

    if isinstance(cause, AuthenticationError):
        return CommandFailed(
            f"Redis refused the password of QQBOT_REDIS_URL: {error}. Redis 密码错误，请检查 QQBOT_REDIS_URL",
            EXIT_CREDENTIALS,
        )
    if isinstance(cause, NoPermissionError):
        return CommandFailed(
            f"the user of QQBOT_REDIS_URL lacks a right: {error}. Redis 用户没有所需权限，请检查 ACL",
            EXIT_CREDENTIALS,
        )
    if isinstance(cause, ResponseError):
        return CommandFailed(f"Redis refused the command: {error}. Redis 拒绝了该命令")
    return CommandFailed(f"Redis does not answer as it should: {error}. Redis 没有正常应答")


def _failure_of_etcd(error: Exception, cause: BaseException | None) -> CommandFailed:
    """Return the words and the exit code for an error of the store; `cause`: what its client raised."""
    from ..sessions.cluster.etcd_client import EtcdRefused

    if isinstance(cause, EtcdRefused):
        return CommandFailed(f"etcd {error}", EXIT_CREDENTIALS if cause.user else EXIT_FAILED)
    return CommandFailed(f"etcd does not answer as it should: {error}. etcd 没有正常应答")


# Showing


async def _show(store: "OpenStore", arguments: argparse.Namespace) -> None:
    while True:
        document, rows = await arguments.show(store)
        if arguments.json:
            show_json(document)
        else:
            show(_table(rows), clear=arguments.watch)
        if not arguments.watch:
            return
        await asyncio.sleep(WATCH_SECONDS)


def _table(rows: Sequence[Sequence[str]]) -> str:
    shown = [[visible_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown)
    return "\n".join(lines)


async def _view(store: "OpenStore") -> "ClusterView":
    from ..sessions.cluster.view import view

    return view(await store.look())


async def _shards(store: "OpenStore") -> tuple[object, Rows]:
    view = await _view(store)
    entries = await store.history(LOG_ENTRIES)
    claims = Counter(entry.get("shard") for _, entry in entries if entry.get("kind") == "claim")
    shards = [_shard(each, max(claims[f"{each.shard.gen}.{each.shard.index}"] - 1, 0)) for each in view.shards]
    head = ["SHARD", "NODE", "TOKEN", "SESSION", "AGE", "SEQ", "LAG", "HEARTBEAT", "LAST EVENT", "MOVES"]
    rows = [[_cell(value) for value in shard.values()] for shard in shards]
    document = {
        "count": view.count,
        "next_count": view.next_count,
        "remaining": view.remaining,
        "halted": view.halted,
        "shards": shards,
    }
    return document, [head, *rows, *_footer(view, len(head))]


def _shard(each: "ShardView", moves: int) -> dict[str, object]:
    state, now = each.state, time.time()
    return {
        "shard": str(each.shard),
        "node": each.node,
        "token": each.token,
        "session": None if state is None else state.session_id,
        "age": None if state is None or not state.since else round(now - state.since, 1),
        "seq": None if state is None else state.seq,
        "lag": None if state is None else max(state.received - state.seq, 0),
        "heartbeat": None if state is None or not state.heartbeat else round(state.heartbeat, 3),
        "last_event": None if state is None or not state.last_event else round(now - state.last_event, 1),
        "moves": moves,
    }


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:g} s" if isinstance(value, float) else str(value)


def _footer(view: "ClusterView", width: int) -> Rows:
    free = view.count - sum(each.shard.count == view.count for each in view.shards)
    words = [f"{view.count} shards, {free} free, {view.remaining} sessions left"]
    if view.next_count:
        words.append(f"changing to {view.next_count} shards")
    if view.halted:
        words.append(f"HALTED: {view.halted.splitlines()[0]}")
    return [["; ".join(words), *[""] * (width - 1)]]


async def _nodes(store: "OpenStore") -> tuple[object, Rows]:
    view = await _view(store)
    nodes = [
        {
            "node": node.id,
            "role": node.role,
            "shards": node.shards,
            "host": node.host,
            "pid": node.pid,
            "version": node.version,
        }
        for node in view.nodes
    ]
    rows = [[str(value) for value in node.values()] for node in nodes]
    return {"nodes": nodes}, [["NODE", "ROLE", "SHARDS", "HOST", "PID", "VERSION"], *rows]


async def _log(store: "OpenStore") -> tuple[object, Rows]:
    entries = await store.history(50)
    document = [{"id": number, **entry} for number, entry in entries]
    rows = [
        [
            _moment(number),
            entry.get("kind", ""),
            entry.get("node", "") or "-",
            " ".join(f"{key}={value}" for key, value in entry.items() if key not in ("kind", "node")),
        ]
        for number, entry in entries
    ]
    return {"entries": document}, [["WHEN", "WHAT", "BY", "DETAIL"], *rows]


def _moment(entry: str) -> str:
    """Return when the entry of a stream was added, '-' for an id that is no time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(int(entry.partition("-")[0]) / 1000))
    except (ValueError, OverflowError, OSError):
        return "-"


# Steering


async def _drain(store: "OpenStore", arguments: argparse.Namespace) -> str:
    view = await _view(store)
    named = [node.id for node in view.nodes if arguments.node in (node.id, node.id.rpartition("-")[0])]
    if len(named) != 1:
        known = ", ".join(node.id for node in view.nodes) or "none"
        raise ConfigError(f"{arguments.node!r} names {len(named)} nodes; the members: {known}")
    await store.admin("drain", named[0])
    for _ in range(round(DRAIN_SECONDS / 0.2)):
        if not any(shard.node == named[0] for shard in (await _view(store)).shards):
            return f"{named[0]} runs no shard any more; it takes none until it is started again"
        await asyncio.sleep(0.2)
    raise CommandFailed(f"{named[0]} still has shards after {DRAIN_SECONDS:g} s")


async def _halt(store: "OpenStore", arguments: argparse.Namespace) -> str:
    from ..sessions.cluster.state import ClusterHalt

    await store.halt(ClusterHalt(None, arguments.reason))
    return "halted: every node ends, and none connects until `qqbot shards unhalt`"


async def _unhalt(store: "OpenStore", _arguments: argparse.Namespace) -> str:
    return "nodes may connect again" if await store.admin("unhalt") else "the cluster was not halted"


async def _roll(store: "OpenStore", arguments: argparse.Namespace) -> str:
    from ..sessions.cluster.records import next_field
    from ..sessions.cluster.resharding import missing_sessions

    state = await store.look()
    if arguments.shards == "abort":
        done = await store.admin("abort", state.version)
        return "given up" if done else "nothing was given up: no roll is going on, or the cluster changed just now"
    if not arguments.shards.isdecimal() or int(arguments.shards) < 1 or int(arguments.shards) == state.shards:
        raise ConfigError(f"roll {arguments.shards}: a number of shards other than {state.shards}, please, or: abort")
    wanted = int(arguments.shards)
    if missing_sessions(state.budget, state.shards, wanted):
        raise ConfigError(
            f"{wanted} new sessions are needed and {state.shards} are kept back, {state.budget} are left: "
            "try again when the platform has renewed the budget"
        )
    if not await store.admin("begin", state.version, next_field(wanted, restarts=arguments.restart)):
        raise ConfigError("a roll is going on already, or the cluster changed just now: try again")
    first = ", the old ones first" if arguments.restart else ""
    return f"changing from {state.shards} to {wanted} shards{first}: watch it with `qqbot shards ls --watch`"
