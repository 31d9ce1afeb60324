"""`take_error`: for futures and tasks that may end when no caller waits for them any more.

asyncio logs an error that is never retrieved as a fault of the program, with a traceback. Responsible for retrieving
it. Collaborators: the owners of such futures, which report what failed in their own words.
"""

import asyncio
from typing import Any


def take_error(ended: "asyncio.Future[Any]") -> None:
    """Retrieve the error of a future that has ended, if it has one; a callback for `add_done_callback`."""
    if not ended.cancelled():
        ended.exception()
