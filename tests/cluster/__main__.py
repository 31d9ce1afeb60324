"""`python -m tests.cluster [ROWS] [--store etcd] [--seed N] [--scale S]`: run rows of the table; without names, all."""

import argparse
import asyncio
import os
import sys
import time
import traceback
from unittest import SkipTest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--store", choices=["redis", "etcd"], default="redis")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=0.2, help="of all timings; 1 takes half an hour")
    arguments = parser.parse_args()
    os.environ["CLUSTER_TEST_SCALE"] = str(arguments.scale)
    from tests.cluster.etcd_rows import ETCD_MUTATIONS, ETCD_ROWS  # they read the scale
    from tests.cluster.intake_rows import INTAKE_ROWS
    from tests.cluster.rows import MUTATIONS, ROWS

    of_store = {"redis": ROWS | INTAKE_ROWS | MUTATIONS, "etcd": ETCD_ROWS | ETCD_MUTATIONS}
    rows = of_store[arguments.store]
    for name in arguments.rows:
        if name not in rows:
            others = [store for store, theirs in of_store.items() if name in theirs]
            known = f"{name} is a row of {others[0]}" if others else f"there is no row {name}"
            parser.error(f"{known}; {arguments.store} has {', '.join(rows)}")
    failed, skipped = 0, list[str]()
    for name in arguments.rows or rows:
        begun = time.monotonic()
        try:
            wrong, figures = asyncio.run(rows[name](arguments.seed))
            if name in MUTATIONS:
                wrong = [] if wrong else ["the checker found nothing wrong"]
        except SkipTest as reason:
            print(f"skip   {name}: {reason}", flush=True)
            skipped.append(name)
            continue
        except Exception:  # noqa: BLE001 - the next rows run all the same
            wrong, figures = [traceback.format_exc()], {}
        shown = ", ".join(
            f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
        )
        print(f"{'FAILED' if wrong else 'ok':6} {name} ({time.monotonic() - begun:.0f} s): {shown}", flush=True)
        for line in wrong:
            print("  ", line, flush=True)
        failed += bool(wrong)
    if skipped:
        print(f"not run, because a server is missing: {', '.join(skipped)}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
