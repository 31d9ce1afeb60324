"""`Claims`: what the processes of a bot tell each other of the events that they have finished.

Owns when an id is looked up, noted and withdrawn. Where the ids are kept is the business of `SeenIds`; what this
process itself knows of its events is the dispatcher's.
"""

from typing import Protocol

from .delivery import Delivery


class SeenIds(Protocol):
    """Ids of events that are finished, shared by processes. A store that fails makes them unknown, never raises."""

    async def add(self, event_id: str) -> bool:
        """Note it; False when it was there already."""
        ...

    async def contains(self, event_id: str) -> bool:
        """Whether it is there."""
        ...

    async def discard(self, event_id: str) -> None:
        """Forget it."""
        ...


class Claims:
    """This process's claims on events, by their ids in `seen`."""

    def __init__(self, seen: SeenIds) -> None:
        self._seen = seen
        self._withdrawn: list[str] = []

    async def is_new(self, delivery: Delivery) -> bool:
        """Whether no other process has finished the event, or, where this one claims it first, has claimed it."""
        event_id = delivery.frame.id
        if not event_id:
            return True
        if delivery.claimed is None:
            return not await self._seen.contains(event_id)
        delivery.claimed = True  # also where this is cut short
        delivery.claimed = await self._seen.add(event_id)
        return delivery.claimed

    async def share(self, delivery: Delivery) -> None:
        """Tell all processes that the event, and what its handler took, is finished."""
        taken = [] if delivery.dialog is None else [delivery.dialog.held, *delivery.dialog.taken]
        for each in (delivery, *taken):
            if each is not None and each.frame.id:
                await self._seen.add(each.frame.id)

    def withdraw(self, delivery: Delivery) -> None:
        """Claim the event no longer; other processes learn of it by `discard`."""
        if delivery.claimed and delivery.frame.id:
            self._withdrawn.append(delivery.frame.id)

    async def discard(self) -> None:
        """Let any process run the events whose claims were withdrawn."""
        while self._withdrawn:
            await self._seen.discard(self._withdrawn.pop())
