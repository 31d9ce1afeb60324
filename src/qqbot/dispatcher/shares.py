"""`Shares`: how much of a common bound each user and each conversation takes, so that none uses up that of all others.

Responsible for counting by owner and for the size of a share. Collaborators: `waiters` (open waits, events of dialogs)
and `ordering` (waiting events) ask. It refuses nothing itself.
"""

from collections.abc import Iterable

from ..models.events import Event, user_of

USER = "user:"  # begins the name of an owner that is a user, and no conversation


def share_of(bound: float, owner: str = "") -> int:
    """Return how much of `bound` an owner may take: a conversation an eighth, a user half of that."""
    return max(int(bound) // (16 if owner.startswith(USER) else 8), 1)


BETWEEN = "\n"  # in an ordering key, the conversation and one of its users


def place_of(ordering_key: str) -> str:
    """Return the conversation of an ordering key: a click has a key of its own, but happens in the same place."""
    return ordering_key.partition(BETWEEN)[0].removeprefix("interaction:")


def owners_of(event: Event) -> tuple[str, ...]:
    """Return the conversation of an event and its user, as far as it names them; in C2C both are the same."""
    owners = (place_of(event.ordering_key), f"{USER}{user}" if (user := user_of(event)) else "")
    return tuple(owner for owner in owners if owner)


class Shares:
    """Counts by owner."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # no zeros: owners come and go without end

    def add(self, owners: Iterable[str]) -> None:
        """Count one more of each owner."""
        for owner in owners:
            self._counts[owner] = self._counts.get(owner, 0) + 1

    def remove(self, owners: Iterable[str], count: int = 1) -> None:
        """Count `count` fewer of each owner."""
        for owner in owners:
            left = self._counts.get(owner, 0) - count
            if left > 0:
                self._counts[owner] = left
            else:
                self._counts.pop(owner, None)

    def used_up(self, owners: Iterable[str], bound: int) -> str | None:
        """Return an owner that has its share of `bound` already; None if there is none."""
        return next((each for each in owners if self._counts.get(each, 0) >= share_of(bound, each)), None)
