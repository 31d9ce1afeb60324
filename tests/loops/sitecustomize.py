"""The event loop that TEST_LOOP names: `uvloop`, `eager` (tasks that start at once), or nothing.

`tests/conftest.py` imports it, and puts this folder on PYTHONPATH, so that Python imports it in every process that a
test starts.
"""

import asyncio
import os
import sys
import warnings

NAME = os.environ.get("TEST_LOOP", "")


def _install() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.14 deprecates policies, but has no other way yet
        if NAME == "uvloop":
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        elif NAME == "eager":
            if sys.version_info < (3, 12):
                raise SystemExit("TEST_LOOP=eager needs Python 3.12")

            class EagerPolicy(asyncio.DefaultEventLoopPolicy):
                def new_event_loop(self) -> asyncio.AbstractEventLoop:
                    loop = super().new_event_loop()
                    loop.set_task_factory(asyncio.eager_task_factory)
                    return loop

            asyncio.set_event_loop_policy(EagerPolicy())
        elif NAME:
            raise SystemExit(f"TEST_LOOP={NAME}: there are only uvloop and eager")


_install()
