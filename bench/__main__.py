"""`python -m bench`: run every benchmark, print a table, write JSON where asked."""

import argparse
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench import decoding
from bench.timing import Timing, compare


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="bench", description="Report what the package costs beside its floor.")
    parser.add_argument("--rounds", type=int, default=101, help="how often each function is timed (default 101)")
    parser.add_argument("--calls", type=int, default=2000, help="calls of a function in one round (default 2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    results = {"decoding": compare(decoding.functions(), rounds=arguments.rounds, calls=arguments.calls)}
    for subject, timings in results.items():
        _print(subject, timings)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_report(results), indent=2) + "\n", "utf-8")


def _print(subject: str, timings: list[Timing]) -> None:
    width = max(len(timing.name) for timing in timings)
    print(f"{subject:<{width}}  CPU us  ratio")
    for timing in timings:
        print(f"{timing.name:<{width}}  {timing.microseconds:6.2f}  {timing.ratio:5.2f}")


def _report(results: dict[str, list[Timing]]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "msgspec": version("msgspec"),
        "results": {subject: [asdict(timing) for timing in timings] for subject, timings in results.items()},
    }


if __name__ == "__main__":
    main()
