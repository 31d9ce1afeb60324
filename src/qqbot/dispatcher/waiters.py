"""`Waiters`: handlers that wait for further events, from `wait_for` to the end of the handler.

Responsible for the open waits and the rules: which handler takes an event, what a suspended handler holds, and what
becomes of the events that it took. A wait that ends without an event is a `Resumption` in the queue: the handler goes
on when its turn in its conversation has come, as with an event. Collaborators: `backlog` and `ordering` (the queue),
`dedupe` (no duplicate is an answer), `completion` (the end of what a handler took).
"""

import asyncio
from collections.abc import Callable, Iterator

from ..aio.loops import check_loop
from ..errors import ConfigError, LeaseLost
from ..models.events import ALIASES, EVENTS, Event, UnknownEvent
from ..models.outcome import Outcome
from ..models.watermark import MAX_RANGES
from .backlog import Backlog
from .completion import Completion
from .decoding import EventDecoder
from .dedupe import Deduplicator
from .delivery import Delivery, DeliverySource, Dialog, Resumption, Wait, Wanted
from .ordering import Ordering
from .shares import Shares, owners_of, place_of, share_of

MAX_WAITS = 2048
MAX_HELD = MAX_RANGES * 3 // 4  # more, and reading might stop with no handler left that ends a dialog
ANYWHERE = ""


class OpenWaits:
    """The open waits of one dispatcher, oldest first."""

    __slots__ = ("_kinds", "_places", "_shares", "open")

    def __init__(self) -> None:
        self._shares = Shares()
        self._places: dict[str, dict[Wait, None]] = {}
        self._kinds: dict[type[Event], int] = {}  # how many waits want each: what no wait wants is not decoded
        self.open = 0

    def add(self, wait: Wait) -> None:
        """Open a wait.  Raises: ConfigError when that would be one too many, in all or of one user or conversation."""
        if self.open >= MAX_WAITS:
            raise ConfigError(
                f"{MAX_WAITS} wait_for are open already: give them a timeout=, or keep long dialogs in a database"
            )
        if (owner := self._shares.used_up(wait.owners, MAX_WAITS)) is not None:
            raise ConfigError(
                f"{share_of(MAX_WAITS, owner)} wait_for of {owner} are open already, which is its share: give them a "
                "timeout=, or begin no second dialog with one user. 同一用户或会话的 wait_for 过多：请设置 timeout="
            )
        self.open += 1
        self._shares.add(wait.owners)
        self._places.setdefault(wait.place, {})[wait] = None
        for kind in wait.wanted.kinds:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def remove(self, wait: Wait) -> bool:
        """Close a wait; return False if it was closed already."""
        here = self._places.get(wait.place, {})
        if wait not in here:
            return False
        del here[wait]
        if not here:
            del self._places[wait.place]
        for kind in wait.wanted.kinds:
            self._kinds[kind] -= 1
            if not self._kinds[kind]:
                del self._kinds[kind]
        self.open -= 1
        self._shares.remove(wait.owners)
        return True

    def cancel(self) -> None:
        """Cancel all that wait."""
        for waits in self._places.values():
            for wait in waits:
                wait.future.cancel()

    def of(self, source: DeliverySource) -> list[Wait]:
        """Return the waits of handlers of its events."""
        return [wait for waits in self._places.values() for wait in waits if wait.waiter.source is source]

    def may_want(self, name: str) -> bool:
        """Return whether any open wait could take an event of this wire name."""
        kind = EVENTS.get(ALIASES.get(name, name), UnknownEvent)
        return any(issubclass(kind, wanted) for wanted in self._kinds)

    def __contains__(self, wait: Wait) -> bool:
        return wait in self._places.get(wait.place, ())

    def candidates(self, place: str) -> tuple[Wait, ...]:
        """Return what waits in `place`, then what waits anywhere; in no place, all that waits."""
        if place:
            return (*self._places.get(place, ()), *self._places.get(ANYWHERE, ()))
        return tuple(wait for waits in self._places.values() for wait in waits)


class Waiters:
    """The handlers that wait, or have waited, for further events."""

    def __init__(
        self,
        backlog: Backlog,
        ordering: Ordering,
        dedupe: Deduplicator,
        decoder: EventDecoder,
        completion: Completion,
        *,
        admit_unseen: Callable[[], None],
    ) -> None:
        """`admit_unseen` looks at all that is queued and was not looked at."""
        self.waits = OpenWaits()
        self._taken = Shares()  # the events that dialogs keep unfinished, by who began the dialog
        self.loop: asyncio.AbstractEventLoop | None = None  # the one that runs the handlers
        self.closed = True  # no event comes any more: a new wait is cancelled at once
        self._backlog = backlog
        self._ordering = ordering
        self._dedupe = dedupe
        self._decoder = decoder
        self._completion = completion
        self._admit_unseen = admit_unseen
        self._timers: dict[Wait, tuple[asyncio.TimerHandle, float]] = {}  # with the timeout in seconds, for its error

    async def wait_for(self, waiter: Delivery, wanted: Wanted, timeout: float | None) -> Delivery:
        """Suspend the handler of `waiter` until an event comes that is wanted; it takes that event for itself.

        Meanwhile it holds no key and is not in flight. It goes on when the event's turn in its conversation has come,
        and holds that key then. `timeout` in seconds.

        Raises: TimeoutError, ConfigError when too many are open, LeaseLost when the lease of the handler's event ends,
        what the predicate raises. It is cancelled at the end of the dispatcher, in whatever task it runs, and after
        LeaseLost.
        """
        if self.loop is not None:
            check_loop(self.loop, "the bot")
        if self.closed:
            await asyncio.sleep(0)  # a caller that tries again and again must not block the loop
            raise asyncio.CancelledError
        wait = self._open(waiter, wanted)
        waiter, dialog = wait.waiter, _dialog_of(wait)
        self._suspend(waiter, dialog)
        if timeout is not None:
            loop = asyncio.get_running_loop()
            self._timers[wait] = loop.call_later(timeout, self._expire, wait, timeout), timeout
        try:
            taken = await wait.future
        except asyncio.CancelledError:
            if wait.future.cancelled():
                self.waits.remove(wait)
                self._come_back(waiter, dialog)
            else:  # the event was handed over just before
                self._give_back(wait.future, waiter, dialog)
            raise
        else:
            return taken
        finally:
            if timeout is not None:
                self._timers.pop(wait)[0].cancel()

    def _open(self, waiter: Delivery, wanted: Wanted, *, interrupts: bool = False) -> Wait:
        """Open a wait of a handler, and offer it what is queued.

        Raises: ConfigError when too many are open, LeaseLost when the lease has ended.
        """
        place = ANYWHERE if wanted.anywhere else place_of(waiter.event.ordering_key)
        if waiter.wait is not None:  # it was taken by a handler: that one waits
            waiter = waiter.wait.waiter
        runs = waiter.handler is not None or self._ordering.running is waiter
        over = not runs if waiter.dialog is None else waiter.dialog.over
        if waiter.source.ended and not over:
            if waiter.refused:  # a handler that tries again and again must not block the loop, nor its conversation
                raise asyncio.CancelledError("wait_for after LeaseLost: let the handler end")
            waiter.refused = True  # also if the handler catches the error
            raise _lease_lost(waiter.source)
        owners = owners_of(waiter.event)
        self._check_held(waiter, owners)
        self._admit_unseen()  # before the wait is open: what waits behind others is offered to it first
        future: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        wait = Wait(wanted, place, waiter, future, owners, interrupts)
        self.waits.add(wait)
        if waiter.dialog is None:
            waiter.dialog = Dialog(over=over)
        self._offer_queued(wait)
        return wait

    # Interruptions

    def open_interruption(self, waiter: Delivery, wanted: Wanted) -> Wait:
        """Look for an event that interrupts the handler of `waiter`, which goes on and keeps its key meanwhile.

        The event does not wait for its turn: it goes to the future of the wait as soon as it is looked at.

        Raises: ConfigError when too many are open; CancelledError when the dispatcher has ended.
        """
        if self.loop is not None:
            check_loop(self.loop, "the bot")
        if self.closed:
            raise asyncio.CancelledError
        return self._open(waiter, wanted, interrupts=True)

    def close_interruption(self, wait: Wait) -> None:
        """Look for the event no longer."""
        self.waits.remove(wait)

    def _interrupt(self, delivery: Delivery, wait: Wait) -> None:
        """Let the event be taken now; it is finished when the handler is that it interrupts."""
        self._backlog.count_off(delivery)
        self._ordering.leave(delivery)  # the key may have been passed on to it
        waiter, dialog = wait.waiter, _dialog_of(wait)
        if dialog.over:  # a task that has outlived the handler
            self._completion.complete(delivery, "consumed")
        else:
            dialog.taken.append(delivery)
            self._taken.add(owners_of(waiter.event))
            delivery.source.waiting += bool(dialog.open)
        self._completion.report(delivery, "consumed")
        wait.future.set_result(delivery)

    # Suspended, and going on

    def _suspend(self, waiter: Delivery, dialog: Dialog) -> None:
        dialog.open += 1
        if dialog.over or dialog.open > 1:
            return
        if dialog.held is not None:
            self._put_aside(waiter, dialog, dialog.held)
        else:
            self._release(waiter)
        if not dialog.reported:
            dialog.reported = True
            self._completion.report(waiter, "waiting")
        limit = dialog.limit
        if limit is not None and not limit.expired() and (when := limit.when()) is not None:
            dialog.left = when - asyncio.get_running_loop().time()
            limit.reschedule(None)
        for delivery in (waiter, *dialog.taken):
            delivery.source.waiting += 1
            delivery.source.wake()

    def _release(self, delivery: Delivery) -> None:
        """Let an event hold nothing while it is not finished: another one may begin."""
        self._ordering.leave(delivery)
        self._backlog.wake_if_any()

    def _put_aside(self, waiter: Delivery, dialog: Dialog, delivery: Delivery) -> None:
        """Let the event that a handler took hold nothing any more; it is finished when the handler is."""
        if dialog.held is delivery:
            dialog.held = None
        self._release(delivery)
        delivery.handler = None
        dialog.taken.append(delivery)
        self._taken.add(owners_of(waiter.event))
        self._completion.report(delivery, "consumed")

    def _wake_up(self, waiter: Delivery, dialog: Dialog) -> None:
        for delivery in (waiter, *dialog.taken):
            delivery.source.waiting -= 1
        if dialog.limit is not None and dialog.left is not None:
            dialog.limit.reschedule(asyncio.get_running_loop().time() + dialog.left)
            dialog.left = None

    def _come_back(self, waiter: Delivery, dialog: Dialog) -> None:
        """Let a handler go on whose wait was cancelled: it is in flight again, and holds its key if that is free."""
        dialog.open -= 1
        if dialog.over or dialog.open:
            return
        self._wake_up(waiter, dialog)
        self._ordering.mark_suspended()  # the handler of another worker: this one is at its step now
        self._ordering.hold_if_free(waiter)

    def _give_back(self, future: "asyncio.Future[Delivery]", waiter: Delivery, dialog: Dialog) -> None:
        """Let what a cancelled wait had taken just then be an event like any other."""
        if future.exception() is not None or dialog.over:
            return
        delivery = future.result()
        self._backlog.count_on(delivery)
        if dialog.held is delivery:
            dialog.held = delivery.handler = None
            self._ordering.mark_suspended()
            self._offer_again(delivery)
            if self._ordering.give_back(delivery, waiter):
                return
            self._ordering.hold_if_free(waiter)
        else:  # the handler waits for more
            dialog.taken.remove(delivery)
            self._taken.remove(owners_of(waiter.event))
            delivery.source.waiting -= bool(dialog.open)
            self._offer_again(delivery)
        self._backlog.put_first(delivery)

    # Offers

    def offer(self, delivery: Delivery, *, has_turn: bool = False) -> bool:
        """Let a handler that waits for the event take it; its turn comes as for any event, or it has its turn now.

        Return True if it has interrupted a handler: it is taken already, and nothing is to be done with it.
        """
        event = delivery.event
        if delivery.message in self._dedupe:
            return False  # a duplicate of what began the dialog is no answer in it
        for wait in self.waits.candidates(place_of(event.ordering_key)):
            # A wait whose future is done gave up, and is removed as soon as its task runs.
            if wait.future.done() or (wait.interrupts and has_turn) or not self._takes(wait, event):
                continue
            self._consume(delivery, wait)
            if wait.interrupts:
                self._interrupt(delivery, wait)
            return wait.interrupts
        return False

    def _offer_again(self, delivery: Delivery) -> None:
        """Offer an event to others that wait, after the handler that took it gave up."""
        delivery.wait = None
        if (message := delivery.message) is not None:
            self._dedupe.forget(message)
        self.offer(delivery, has_turn=True)

    def _offer_queued(self, wait: Wait) -> None:
        """Offer what came before and has not begun to a handler that begins to wait: replays come all at once."""
        for delivery in list(self._queued_for(wait)) if wait.interrupts else self._queued_for(wait):
            if delivery.wait is not None:
                continue
            kept = delivery.event, delivery.match
            self._decoder.unpark(delivery)
            if delivery.message not in self._dedupe and self._takes(wait, delivery.event):
                self._consume(delivery, wait)
                if wait.interrupts:
                    if not self._ordering.remove(delivery):
                        self._backlog.admitted.remove(delivery)
                    self._interrupt(delivery, wait)
                return
            delivery.event, delivery.match = kept
            if wait not in self.waits:  # its predicate raised
                return

    def _queued_for(self, wait: Wait) -> Iterator[Delivery]:
        """Iterate over what is queued in the conversation of `wait`; what waits behind others there comes first."""
        place = wait.place
        for entry in self._ordering.waiting(place):
            if not isinstance(entry, Resumption):
                yield entry
        for delivery in self._backlog.admitted:
            here = place_of(delivery.event.ordering_key)
            if not place or not here or here == place:
                yield delivery

    def _takes(self, wait: Wait, event: Event) -> bool:
        """Return whether the open `wait` takes the event. A predicate that raises ends it."""
        if not isinstance(event, wait.wanted.kinds):
            return False
        try:
            return wait.wanted.when is None or wait.wanted.when(event)
        except Exception as error:  # noqa: BLE001 - the predicate is the user's: its caller gets the error
            self._fail(wait, error)
            return False

    def _fail(self, wait: Wait, error: Exception) -> None:
        """Let a handler go on with an error."""
        self.waits.remove(wait)
        if wait.interrupts:
            wait.future.set_exception(error)
        else:
            self._backlog.resume(Resumption(wait, error))

    def _consume(self, delivery: Delivery, wait: Wait) -> None:
        """Let the event go to the handler that waits for it, and its duplicates to none."""
        self.waits.remove(wait)
        delivery.wait = wait
        if (message := delivery.message) is not None:
            self._dedupe.close(message)

    def _expire(self, wait: Wait, timeout: float) -> None:
        kinds = " or ".join(kind.__name__ for kind in wait.wanted.kinds)
        if self.waits.remove(wait):
            self._backlog.resume(
                Resumption(wait, TimeoutError(f"wait_for({kinds}): nothing came within {timeout:g} s"))
            )

    def advance(self, seconds: float) -> list[str]:
        """Let the timeouts of the open waits end `seconds` earlier; return the events of the handlers that go on."""
        loop = asyncio.get_running_loop()
        expired: dict[Delivery, int] = {}  # how many waits of each handler end
        for wait, (timer, timeout) in tuple(self._timers.items()):
            if wait not in self.waits:  # it has ended, and its handler has not gone on yet
                continue
            timer.cancel()
            left = timer.when() - loop.time() - seconds
            self._timers[wait] = loop.call_later(max(left, 0.0), self._expire, wait, timeout), timeout
            if left <= 0:
                expired[wait.waiter] = expired.get(wait.waiter, 0) + 1
        ends = [(waiter, waiter.dialog, count) for waiter, count in expired.items()]
        # Not of those that wait for more, or that a task of theirs has outlived.
        return [
            waiter.frame.id or ""
            for waiter, dialog, count in ends
            if dialog and not dialog.over and dialog.open == count
        ]

    def end_waits(self, source: DeliverySource) -> None:
        """Let the handlers of events of `source` wait no longer: they go on with LeaseLost."""
        for wait in self.waits.of(source):
            if not _dialog_of(wait).over:  # else it is of a task that has outlived the handler: it has no lease
                wait.waiter.refused = True  # also if the handler catches the error
                self._fail(wait, _lease_lost(source))

    # Turns

    def hand_over(self, delivery: Delivery) -> bool:
        """Let the handler that waited for the event go on; False if all gave up: it is an event like any other."""
        while (wait := delivery.wait) is not None and wait.future.done():
            self._offer_again(delivery)
        if wait is None:
            return False
        waiter, dialog = wait.waiter, _dialog_of(wait)
        dialog.open -= 1
        if dialog.over:  # a task that has outlived the handler
            self._ordering.leave(delivery)
            self._completion.complete(delivery, "consumed")
            self._completion.report(delivery, "consumed")
        elif dialog.open:  # the handler waits for more
            self._put_aside(waiter, dialog, delivery)
            delivery.source.waiting += 1
        else:
            dialog.held = delivery
            delivery.handler = waiter.handler
            self._ordering.hold(delivery)
            self._wake_up(waiter, dialog)
        wait.future.set_result(delivery)
        return True

    def resume(self, resume: Resumption) -> None:
        """Let a handler go on without an event, if it still waits for one; its turn in its conversation has come."""
        wait = resume.wait
        waiter, dialog = wait.waiter, _dialog_of(wait)
        if wait.future.done():
            self._ordering.leave(resume)
            return
        dialog.open -= 1
        if dialog.over or dialog.open:  # a task that has outlived the handler; or the handler waits for more
            self._ordering.leave(resume)
        else:
            self._ordering.hold_through(resume, waiter)
            self._wake_up(waiter, dialog)
            dialog.reported = False  # the next wait is reported as well: listeners see no event that it took
        wait.future.set_exception(resume.error)

    def end(self, waiter: Delivery, dialog: Dialog, outcome: Outcome | None) -> None:
        """End all that the handler took, as it ended itself."""
        dialog.over = True
        if dialog.held is not None:
            self._put_aside(waiter, dialog, dialog.held)
        elif dialog.open:
            self._wake_up(waiter, dialog)
        if dialog.taken:
            self._taken.remove(owners_of(waiter.event), len(dialog.taken))
        for delivery in dialog.taken:
            self._completion.complete(delivery, None if outcome is None else "consumed")

    def _check_held(self, waiter: Delivery, owners: tuple[str, ...]) -> None:
        """Raises: ConfigError when handlers that wait would hold too many events: all those of a dialog, to its end.

        A user, or a conversation, is refused earlier than all together.
        """
        dialog = waiter.dialog or Dialog()
        source = waiter.source if dialog.held is None else dialog.held.source
        held, what = MAX_HELD, "open dialogs"
        if source.waiting + len(dialog.taken) < MAX_HELD:
            if (owner := self._taken.used_up(owners, MAX_HELD)) is None:
                return
            held, what = share_of(MAX_HELD, owner), f"the open dialogs of {owner}"
        raise ConfigError(
            f"{held} events of {what} are unfinished: let handlers end, keep what has to last in a database. "
            "对话中未完成的事件过多：请让处理函数结束，把需要长期保存的内容放进数据库"
        )


def _lease_lost(source: DeliverySource) -> LeaseLost:
    shard = "" if source.lease is None else f" {source.lease.shard}"
    return LeaseLost(f"wait_for has ended: another process may run shard{shard} by now, and handles the event again")


def _dialog_of(wait: Wait) -> Dialog:
    dialog = wait.waiter.dialog
    assert dialog is not None  # it exists from the first wait_for on
    return dialog
