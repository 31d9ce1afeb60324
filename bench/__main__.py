"""`python -m bench [NAMES]`: run the benchmarks, print a Markdown table, write it and JSON where asked."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from bench import calls, decoding, delivery, flood, imports, ingest, latency, shards, webhook
from bench.report import Results, Row, as_json, renewed, table
from bench.rounds import Effort
from bench.servers import ENGINES

BENCHMARKS: dict[str, Callable[[Effort], Awaitable[list[Row]]]] = {
    "delivery": delivery.run,
    "latency": latency.run,
    "flood": flood.run,
    "shards": shards.run,
    "calls": calls.run,
    "webhook": webhook.run,
    "ingest": ingest.run,
    "imports": imports.run,
    "decoding": decoding.run,
}


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="bench", description="Report what the package costs beside its floor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--rounds", type=int, help="how many rounds of each, instead of its own number")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work a round has (default 1)")
    parser.add_argument(
        "--engine",
        action="append",
        metavar="NAME",
        help=f"the brokers of `ingest`: of {', '.join(ENGINES)}, or the URL of one that runs (default redis)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="replace the table of this Markdown page")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    engines = arguments.engine or ["redis"]
    if unknown := {each for each in engines if each not in ENGINES and "://" not in each}:
        parser.error(f"there is no engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    effort = Effort(arguments.rounds, arguments.scale)
    results = asyncio.run(_run(arguments.names or list(BENCHMARKS), effort, engines))
    print(table(results))
    if arguments.page is not None:
        arguments.page.write_text(renewed(arguments.page.read_text("utf-8"), table(results)), "utf-8")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(results), indent=2) + "\n", "utf-8")


async def _run(names: list[str], effort: Effort, engines: Sequence[str]) -> Results:
    benchmarks = BENCHMARKS | {"ingest": partial(ingest.run, engines=engines)}
    return {name: await benchmarks[name](effort) for name in names}


if __name__ == "__main__":
    main()
