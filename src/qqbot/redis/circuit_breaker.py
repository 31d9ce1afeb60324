"""`CircuitBreaker`: stops asking a store that is away, so that an optional question costs next to nothing.

Owns when to ask and when not to, and the words about it. What stands in for an answer is the caller's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..aio.clock import Clock, steady
from .connection import FAILURES, within

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_SECONDS = 1.0
MOST_CALLS = 8  # at a time: each takes a connection, and more of them make nothing faster
PAUSE_SECONDS = 5.0  # after a failure nobody asks for so long, then one does
WARN_EVERY_SECONDS = 60.0


class CircuitBreaker:
    """Asks, or answers at once in place of a store that has just failed.

    `without` ends the sentence that the log gets, once a minute: what is missing while the store is away.
    """

    def __init__(self, without: str, *, clock: Clock = steady) -> None:
        self._without = without
        self._clock = clock
        self._closed_until: float | None = None  # None: the last call went well
        self._warned = -WARN_EVERY_SECONDS
        self._turns = asyncio.Semaphore(MOST_CALLS)

    async def ask(self, call: Callable[[], Awaitable[T]], instead: T) -> T:
        """Return what `call` answers, or `instead` where the store fails or has failed just now."""
        if self._is_closed():
            return instead
        async with self._turns:
            if self._is_closed():  # since we began to wait
                return instead
            if self._closed_until is not None:
                self._closed_until = self._clock() + PAUSE_SECONDS  # we try; the others go on without
            try:
                answer = await within(ANSWER_SECONDS, call())
            except FAILURES as error:
                self._failed(error)
                return instead
        if self._closed_until is not None:
            self._closed_until = None
            log.info("the store answers again: %s no more", self._without)
        return answer

    def _is_closed(self) -> bool:
        return self._closed_until is not None and self._clock() < self._closed_until

    def _failed(self, error: Exception) -> None:
        now = self._clock()
        self._closed_until = now + PAUSE_SECONDS
        if now - self._warned >= WARN_EVERY_SECONDS:
            self._warned = now
            log.warning("the store does not answer (%r): %s until it does", error, self._without)
