"""`python -m tests.cluster [ROWS] [--seed N]`: run rows of the table; without names, all of them."""

import argparse
import asyncio
import sys
import time
import traceback

from tests.cluster.rows import ROWS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.rows or ROWS:
        begun = time.monotonic()
        try:
            wrong, figures = asyncio.run(ROWS[name](arguments.seed))
        except Exception:
            wrong, figures = [traceback.format_exc()], {}
        shown = ", ".join(
            f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
        )
        print(f"{'FAILED' if wrong else 'ok':6} {name} ({time.monotonic() - begun:.0f} s): {shown}", flush=True)
        for line in wrong:
            print("  ", line, flush=True)
        failed += bool(wrong)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
