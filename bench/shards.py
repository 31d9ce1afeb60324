"""What an idle shard keeps in memory, plain and with TLS, and how long it takes until 200 of them are READY."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import trustme

from bench.children import Certificate, Child, Stage
from bench.receivers import Connected
from bench.report import Row, Target
from bench.rounds import Effort, ratio

FEW, SOME, MANY = 1, 20, 200
ROUNDS = 3
KILOBYTE = 1024

Measured = dict[tuple[str, int], list[Connected]]
"""What each kind did with each number of shards, round by round."""


async def run(effort: Effort) -> list[Row]:
    """Start a new process for each number of shards, the floor's and the package's in turn."""
    many = effort.amount(MANY, least=SOME + 1)
    rounds = effort.rounds_of(ROUNDS)
    with _certificate() as certificate:
        plain = await _measure(None, many, rounds)
        secure = await _measure(certificate, many, rounds)
    return [
        _memory("an idle shard", plain, (FEW, SOME)),
        _memory("an idle shard", plain, (SOME, many), most=30),
        _memory("an idle shard with TLS", secure, (FEW, SOME)),
        _memory("an idle shard with TLS", secure, (SOME, many), most_above_floor=40),
        _time(f"{many} shards READY", plain, many),
        _time(f"{many} shards READY with TLS", secure, many),
    ]


async def _measure(certificate: Certificate | None, many: int, rounds: int) -> Measured:
    measured: Measured = {}
    trust = () if certificate is None else ("--ca", certificate.authority)
    async with Stage.open(certificate) as stage:
        for number in range(rounds):
            for count in (FEW, SOME, many):
                for kind in ("floor", "qqbot"):
                    address = f"{stage.address}/{kind}{count}x{number}"
                    arguments = (kind, address, "--shards", str(count), *trust)
                    async with Child.start("bench.receivers", *arguments) as child:
                        measured.setdefault((kind, count), []).append(await child.report(Connected))
    return measured


def _memory(
    name: str,
    measured: Measured,
    counts: tuple[int, int],
    *,
    most: float | None = None,
    most_above_floor: float | None = None,
) -> Row:
    less, more = counts
    floor, ours = (_each(measured[kind, less], measured[kind, more], more - less) for kind in ("floor", "qqbot"))
    if most_above_floor is not None:
        most = round(floor + most_above_floor)
    return Row(f"{name}, {less} to {more}", "KB", ours, floor, target=None if most is None else Target(most))


def _each(less: list[Connected], more: list[Connected], shards: int) -> float:
    """Return the kilobytes of each of the `shards` that `more` has beyond `less`."""
    return (median(each.memory for each in more) - median(each.memory for each in less)) / shards / KILOBYTE


def _time(name: str, measured: Measured, count: int) -> Row:
    floor, ours = ([each.seconds for each in measured[kind, count]] for kind in ("floor", "qqbot"))
    return Row(name, "s", median(ours), median(floor), ratio(ours, floor), Target(3))


@contextmanager
def _certificate() -> Generator[Certificate]:
    """Make a certificate for 127.0.0.1 and an authority of its own, for as long as the body runs."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        own, trusted = Path(folder, "own.pem"), Path(folder, "authority.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
        authority.cert_pem.write_to_path(str(trusted))
        yield Certificate(str(own), str(trusted))
