"""`Timings`: how long the processes of a cluster wait for each other, and the proof that they wait long enough.

Responsible for the figures and their check; pure. All times are seconds. Every node of a cluster has to use the same
ones; the store refuses a node with others.
"""

from dataclasses import dataclass

from ...errors import ConfigError

DRIFT = 0.01
"""How much faster or slower than true time a clock may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """When an owner stops, when others may take over, and the pace of what happens in between.

    An owner renews every `renew` and stops `own` after its last renewal; others take over when they have seen no sign
    of it for `observe`. `call` is the deadline of one call to the store, `slack` the longest time that a handler may
    hold up the event loop. `window`, `permit` and `lead` pace IDENTIFYs: the platform's window, how long a permit is
    good, and how far ahead one is reserved. `handovers`: shards that one process gives away at once. `stop`: the end
    of a stop, also if the store is away.

    Raises: ConfigError if two owners could act at once, or a renewal could not be tried often enough.
    """

    renew: float = 3.0
    call: float = 2.0
    own: float = 12.0
    observe: float = 15.0
    slack: float = 2.0
    window: float = 5.0
    permit: float = 0.5
    lead: float = 0.5
    handovers: int = 2
    stop: float = 25.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ConfigError(f"Timings({name}=...) must be greater than 0")
        if (least := self.renew + 2 * self.call + self.slack / 2) > self.own + 1e-9:
            raise ConfigError(
                f"Timings(own={self.own:g}) must be at least renew + 2 * call + slack / 2 = {least:g} s, "
                "so that a renewal can be tried three times"
            )
        if (least := (self.own * (1 + DRIFT) + self.slack) / (1 - DRIFT)) > self.observe:
            raise ConfigError(
                f"Timings(observe={self.observe:g}) must be at least {least:.2f} s for own={self.own:g} and "
                f"slack={self.slack:g}: else a shard could be taken over while its owner still acts"
            )

    def scaled(self, factor: float) -> "Timings":
        """Return these timings with every time multiplied by `factor`; for tests."""
        times = {name: getattr(self, name) * factor for name in self.__slots__ if name != "handovers"}
        return Timings(handovers=self.handovers, **times)

    @property
    def retry(self) -> float:
        """Seconds after which a store that did not answer is asked again."""
        return self.renew / 6

    @property
    def shared(self) -> str:
        """The timings that have to be equal on all nodes, in milliseconds, as the store takes them."""
        times = (self.renew, self.own, self.observe, self.window, self.permit, self.lead)
        return " ".join(str(round(time * 1000)) for time in times)
