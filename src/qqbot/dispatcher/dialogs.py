"""`Dialogs`: handlers that wait for further events, from `wait_for` to the end of the handler.

Owns the open waits and the rules: who takes an event, what a suspended handler holds and counts, and what becomes of
the events that it took. The queue, the lanes, and who runs the handlers are the dispatcher's, which is seen here as a
`Host`; how a wait is found is `waits`.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from ..errors import ConfigError
from ..models.outcome import Outcome
from ..models.watermark import MAX_RANGES
from .dedupe import Messages
from .delivery import Delivery, DeliverySource, Dialog
from .ordering import Ordering
from .waits import ANYWHERE, Wait, Waits, Wanted, place_of

MAX_HELD = MAX_RANGES * 3 // 4  # more, and reading might stop with nobody left to end a dialog


class Host(Protocol):
    """What dialogs need of the dispatcher that runs their handlers."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more events."""
        ...

    def queued(self) -> Iterable[Delivery]:
        """Return what is accepted and has not begun, in the order in which it is offered."""
        ...

    def queue(self, delivery: Delivery) -> None:
        """Accept an event: it is in flight, and its turn comes last."""
        ...

    def queue_first(self, delivery: Delivery) -> None:
        """Let an event that is in flight have the next turn."""
        ...

    def note_suspended(self) -> None:
        """Note that the handler that took its step last has not ended: from now on it holds its lane."""
        ...

    def count_up(self) -> None:
        """Count one event more as in flight."""
        ...

    def release(self, delivery: Delivery) -> None:
        """Let an event hold no lane and be in flight no longer, while it is not finished."""
        ...

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Tell who wants to know what became of an event."""
        ...

    def complete(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Count as finished an event that holds nothing any more; None: it was given up."""
        ...

    def finish(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Note the end of an event that is in flight."""
        ...


class Dialogs:
    """The handlers of `host` that wait, or have waited, for further events."""

    def __init__(self, host: Host, ordering: Ordering, messages: Messages) -> None:
        self.waits = Waits()
        self._host = host
        self._ordering = ordering
        self._messages = messages
        self._timers: dict[Wait, tuple[asyncio.TimerHandle, float]] = {}  # with the timeouts in seconds
        self._own = DeliverySource(None)  # what no event stands for: a wait_for that timed out

    async def wait_for(self, waiter: Delivery, wanted: Wanted, timeout: float | None) -> Delivery:
        """Suspend the handler of `waiter` until an event comes that is wanted; it takes that event for itself.

        Meanwhile it holds no lane and is not in flight. It goes on when the event's turn in its lane has come, and
        holds that lane then. `timeout` in seconds.

        Raises: TimeoutError, ConfigError when too many are open, what the predicate raises. At the end of the
        dispatcher it is cancelled, whoever waits.
        """
        if self._host.closed:
            await asyncio.sleep(0)  # whoever tries again and again holds up nobody
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Delivery] = loop.create_future()
        place = ANYWHERE if wanted.anywhere else place_of(waiter.event.ordering_key)
        waiter = waiter.root or waiter
        _check_held(waiter)
        wait = Wait(wanted, place, waiter, future)
        self.waits.add(wait)
        dialog = waiter.dialog
        if dialog is None:
            dialog = waiter.dialog = Dialog(over=waiter.handler is None)
        self._offer_queued(wait)
        self._suspend(waiter, dialog)
        if timeout is not None:
            self._timers[wait] = loop.call_later(timeout, self._expire, wait, timeout), timeout
        try:
            taken = await future
        except asyncio.CancelledError:
            if future.cancelled():
                self.waits.remove(wait)
                self._come_back(waiter, dialog)
            else:  # the event was handed over just before
                self._give_back(future, waiter, dialog)
            raise
        else:
            return taken
        finally:
            if timeout is not None:
                self._timers.pop(wait)[0].cancel()

    def _suspend(self, waiter: Delivery, dialog: Dialog) -> None:
        dialog.open += 1
        if dialog.over or dialog.open > 1:
            return
        if dialog.held is not None:
            self._put_aside(dialog, dialog.held)
        elif dialog.counts:
            dialog.counts = False
            self._host.release(waiter)
            self._host.settle(waiter, "waiting")
        limit = waiter.limit
        if limit is not None and not limit.expired() and (when := limit.when()) is not None:
            dialog.left = when - asyncio.get_running_loop().time()
            limit.reschedule(None)
        for delivery in (waiter, *dialog.taken):
            delivery.source.waiting += 1
            delivery.source.note_change()

    def _put_aside(self, dialog: Dialog, delivery: Delivery) -> None:
        """Let the event that a handler took hold nothing any more; it is finished when the handler is."""
        if dialog.held is delivery:
            dialog.held = None
        self._host.release(delivery)
        delivery.handler = None
        if delivery.error is None:
            dialog.taken.append(delivery)
            self._host.settle(delivery, "consumed")
        elif delivery.root is not None:  # the handler waits again after a timeout
            self._host.settle(delivery.root, "waiting")

    def _wake_up(self, waiter: Delivery, dialog: Dialog) -> None:
        for delivery in (waiter, *dialog.taken):
            delivery.source.waiting -= 1
        if waiter.limit is not None and dialog.left is not None:
            waiter.limit.reschedule(asyncio.get_running_loop().time() + dialog.left)
            dialog.left = None

    def _come_back(self, waiter: Delivery, dialog: Dialog) -> None:
        """Let a handler go on whose wait was cancelled: it is in flight again, in its lane if that is free."""
        dialog.open -= 1
        if dialog.over or dialog.open:
            return
        self._wake_up(waiter, dialog)
        self._go_on(dialog)
        self._ordering.hold_if_free(waiter)

    def _go_on(self, dialog: Dialog) -> None:
        """Let a handler be in flight on its own account again."""
        dialog.counts = True
        self._host.count_up()
        self._host.note_suspended()  # of another worker: this one is at its step now

    def _give_back(self, future: "asyncio.Future[Delivery]", waiter: Delivery, dialog: Dialog) -> None:
        """Let what a cancelled wait had taken just then be an event like any other."""
        if future.exception() is not None or dialog.over:
            return
        delivery = future.result()
        if dialog.held is delivery:
            dialog.held = delivery.handler = None
            self._go_on(dialog)
            self._offer_again(delivery)
            if self._ordering.give_back(delivery, waiter):
                return
            self._ordering.hold_if_free(waiter)
        else:  # the handler waits for more
            dialog.taken.remove(delivery)
            delivery.source.waiting -= bool(dialog.open)
            self._host.count_up()
            self._offer_again(delivery)
        self._host.queue_first(delivery)

    def _offer_again(self, delivery: Delivery) -> None:
        """Offer an event to those who wait, after the one that took it gave up."""
        delivery.wait = delivery.root = None
        if delivery.message is not None:
            self._messages.forget(delivery.message)
        self.offer(delivery)

    def offer(self, delivery: Delivery) -> None:
        """Give the event to a handler that waits for it, if there is one; its turn in the lane comes as ever."""
        if delivery.message in self._messages:
            return  # a repeat of what began the dialog is no answer in it
        wait = self.waits.find(delivery.event, self._fail)
        if wait is not None:
            self._consume(delivery, wait)

    def _consume(self, delivery: Delivery, wait: Wait) -> None:
        """Let the event go to who waits for it, and its repeats to nobody."""
        delivery.wait = wait
        if delivery.message is not None:
            self._messages.close(delivery.message)

    def _offer_queued(self, wait: Wait) -> None:
        """Give a handler that begins to wait what came before and has not begun: after a RESUME all comes at once."""
        for delivery in self._host.queued():
            is_new = delivery.wait is None and delivery.message not in self._messages
            if is_new and self.waits.take(wait, delivery.event, self._fail):
                self._consume(delivery, wait)
                return

    def advance(self, seconds: float) -> list[str]:
        """Let the timeouts of the open waits end `seconds` earlier; return the events of the handlers that go on."""
        loop = asyncio.get_running_loop()
        expired: list[str] = []
        for wait, (timer, timeout) in tuple(self._timers.items()):
            timer.cancel()
            left = timer.when() - loop.time() - seconds
            self._timers[wait] = loop.call_later(max(left, 0.0), self._expire, wait, timeout), timeout
            if left <= 0 and wait in self.waits:
                expired.append(wait.waiter.frame.id or "")
        return expired

    def _expire(self, wait: Wait, timeout: float) -> None:
        kinds = " or ".join(kind.__name__ for kind in wait.wanted.kinds)
        if self.waits.remove(wait):
            self._fail(wait, TimeoutError(f"wait_for({kinds}): nothing came within {timeout:g} s"))

    def _fail(self, wait: Wait, error: Exception) -> None:
        """Queue the end of a wait like an event of the handler's lane."""
        waiter = wait.waiter
        self._host.queue(Delivery(waiter.event, waiter.frame, b"", self._own, 0.0, wait=wait, error=error))

    def hand_over(self, delivery: Delivery, wait: Wait) -> bool:
        """Let the handler that waited go on; False when all gave up, so that the event is one like any other."""
        waiter, future, dialog = wait.waiter, wait.future, wait.waiter.dialog
        if future.done():
            return self._hand_on(delivery)
        delivery.wait, delivery.root = None, waiter
        dialog.open -= 1
        if dialog.over:  # a task that has outlived the handler
            self._host.finish(delivery, "consumed")
        elif dialog.open:  # the handler waits for more
            self._put_aside(dialog, delivery)
            delivery.source.waiting += delivery.error is None
        else:
            dialog.held = delivery
            delivery.handler = waiter.handler
            self._ordering.hold(delivery)
            self._wake_up(waiter, dialog)
        if delivery.error is not None:
            future.set_exception(delivery.error)
        else:
            future.set_result(delivery)
        return True

    def _hand_on(self, delivery: Delivery) -> bool:
        """Hand the event to somebody else who waits; False when nobody does. A timeout concerns nobody any more."""
        if delivery.error is not None:
            self._host.release(delivery)
            return True
        self._offer_again(delivery)
        return delivery.wait is not None and self.hand_over(delivery, delivery.wait)

    def end(self, waiter: Delivery, dialog: Dialog, outcome: Outcome | None) -> bool:
        """End all that the handler took, as it ended itself; return whether it was in flight on its own account."""
        dialog.over = True
        if dialog.held is not None:
            self._put_aside(dialog, dialog.held)
        elif dialog.open:
            self._wake_up(waiter, dialog)
        for delivery in dialog.taken:
            self._host.complete(delivery, None if outcome is None else "consumed")
        return dialog.counts


def _check_held(waiter: Delivery) -> None:
    """Raises: ConfigError when the handlers that wait would hold too many events: all those of a dialog, to its end."""
    dialog = waiter.dialog or Dialog()
    source = waiter.source if dialog.held is None else dialog.held.source
    if source.waiting + len(dialog.taken) >= MAX_HELD:
        raise ConfigError(
            f"{MAX_HELD} events of open dialogs are unfinished: let handlers end, keep what has to last in a database"
        )
