"""`LeaseGate`: whether what a store granted for some seconds is still ours, judged by our own clock alone.

Owns the deadline. Renewing the grant, and ending what runs under it, is its user's.
"""

from ..aio.clock import steady
from ..ports import Clock


class LeaseGate:
    """Open from a grant until `life` seconds after the request for it was sent.

    The count starts before the request and not at its answer: the store counts from a moment in between. Once shut
    it stays shut, because somebody else may have been let in; a late answer revives nothing.
    """

    __slots__ = ("_clock", "_life", "_until")

    def __init__(self, life: float, sent_at: float, *, clock: Clock = steady) -> None:
        """Open for what was asked for at `sent_at`, a moment of `clock`; `life` in seconds."""
        self._life = life
        self._clock = clock
        self._until = sent_at + life

    def valid(self) -> bool:
        """Whether we may act now; cheap, and callable from any thread."""
        return self._clock() < self._until

    def left(self) -> float:
        """Return for how many more seconds the gate is open; 0 when it is shut."""
        return max(self._until - self._clock(), 0.0)

    def renew(self, sent_at: float) -> bool:
        """Stay open for what was asked for at `sent_at` and granted; False when that came too late."""
        if not self.valid():
            return False
        self._until = max(self._until, sent_at + self._life)
        return True

    def shut(self) -> None:
        """Shut at once: the grant was taken away or given back."""
        self._until = float("-inf")
