"""What `import qqbot` costs beside importing aiohttp and msgspec, each in a fresh interpreter with warm caches."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from statistics import median

import msgspec
from msgspec import Struct

from bench.report import Row, Target
from bench.rounds import Effort, ratio

ROUNDS = 31
FLOOR = "aiohttp, msgspec"
OURS = "qqbot"
ONLY_WHEN_USED = {"redis", "cryptography", "aiohttp.web"}

PROGRAM = """
import sys, time
started = time.process_time()
import {names}
took = time.process_time() - started
import msgspec
print(msgspec.json.encode({{"seconds": took, "modules": list(sys.modules)}}).decode())
"""


class Imported(Struct, frozen=True):
    """What one interpreter did: seconds of its processor, and all modules that it had then."""

    seconds: float
    modules: tuple[str, ...]


async def run(effort: Effort) -> list[Row]:
    """Import both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        # Caches of its own: the environment may forbid to write them, and then everything is compiled each time.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _import(FLOOR, environment)
        modules = _import(OURS, environment).modules
        floor: list[float] = []
        ours: list[float] = []
        for _ in range(effort.rounds_of(ROUNDS)):
            floor.append(_import(FLOOR, environment).seconds * 1000)
            ours.append(_import(OURS, environment).seconds * 1000)
    needless = ONLY_WHEN_USED & set(modules)
    return [
        Row("import qqbot", "CPU ms", median(ours), median(floor), ratio(ours, floor), Target(1.25)),
        Row("redis, cryptography, aiohttp.web imported by it", "modules", len(needless), target=Target(0)),
    ]


def _import(names: str, environment: Mapping[str, str]) -> Imported:
    command = [sys.executable, "-c", PROGRAM.format(names=names)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - our own program
    return msgspec.json.decode(done.stdout, type=Imported)
