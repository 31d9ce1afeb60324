"""`python -m bench [NAMES]`: run the benchmarks, print a Markdown table, write it and JSON where asked."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import calls, decoding, delivery, flood, imports, latency, shards, webhook
from bench.report import Results, Row, as_json, renewed, table
from bench.rounds import Effort

BENCHMARKS: dict[str, Callable[[Effort], Awaitable[list[Row]]]] = {
    "delivery": delivery.run,
    "latency": latency.run,
    "flood": flood.run,
    "shards": shards.run,
    "calls": calls.run,
    "webhook": webhook.run,
    "imports": imports.run,
    "decoding": decoding.run,
}


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="bench", description="Report what the package costs beside its floor.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--rounds", type=int, help="how many rounds of each, instead of its own number")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work a round has (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="replace the table of this Markdown page")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    results = asyncio.run(_run(arguments.names or list(BENCHMARKS), Effort(arguments.rounds, arguments.scale)))
    print(table(results))
    if arguments.page is not None:
        arguments.page.write_text(renewed(arguments.page.read_text("utf-8"), table(results)), "utf-8")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(results), indent=2) + "\n", "utf-8")


async def _run(names: list[str], effort: Effort) -> Results:
    return {name: await BENCHMARKS[name](effort) for name in names}


if __name__ == "__main__":
    main()
