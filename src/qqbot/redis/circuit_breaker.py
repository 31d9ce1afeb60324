"""`CircuitBreaker`: stops calling a store that is down, so that an optional call costs next to nothing.

Responsible for the decision to call or not, and for logging an outage and its end. Collaborators: `connection` (the
errors of a store, deadlines). It does not decide what replaces an answer: the caller passes that.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..aio.clock import Clock, steady
from ..aio.forks import check_process
from ..aio.throttle import Throttle
from .connection import FAILURES, within

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_SECONDS = 1.0
MOST_CALLS = 8  # at a time: each takes a connection, and more of them are not faster
PAUSE_SECONDS = 5.0  # without any call after a failure; then a single call tries again


class CircuitBreaker:
    """Calls a store, or answers at once in its place if it failed less than `PAUSE_SECONDS` ago.

    `without` completes the warning that is logged at most once a minute: what is missing while the store is down.
    """

    def __init__(self, without: str, *, clock: Clock = steady) -> None:
        self._without = without
        self._clock = clock
        self._pid = os.getpid()  # a child has no right to the connections that it inherits
        self._open_until: float | None = None  # no call before this moment; None: the last call succeeded
        self._warnings = Throttle(clock=clock)
        self._turns = asyncio.Semaphore(MOST_CALLS)

    async def ask(self, call: Callable[[], Awaitable[T]], instead: T) -> T:
        """Return what `call` answers, or `instead` if the store fails or has just failed.

        Raises: ConfigError in a child process.
        """
        check_process(self._pid, "the connection to the store")
        if self._is_open():
            return instead
        async with self._turns:
            if self._is_open():  # another call failed while this one waited for its turn
                return instead
            if self._open_until is not None:
                self._open_until = self._clock() + PAUSE_SECONDS  # this call probes; the others keep doing without
            try:
                answer = await within(ANSWER_SECONDS, call())
            except FAILURES as error:
                self._failed(error)
                return instead
        if self._open_until is not None:
            self._open_until = None
            log.info("the store answers again; no longer: %s", self._without)
        return answer

    def _is_open(self) -> bool:
        return self._open_until is not None and self._clock() < self._open_until

    def _failed(self, error: Exception) -> None:
        self._open_until = self._clock() + PAUSE_SECONDS
        if self._warnings.ready():
            log.warning("the store does not answer (%r): %s until it does", error, self._without)
