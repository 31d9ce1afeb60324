"""How long it is measured, and what a series of rounds comes to. Owns the arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Effort:
    """`rounds` replaces each benchmark's own number of rounds; `scale` multiplies the work of each round."""

    rounds: int | None = None
    scale: float = 1.0

    def rounds_of(self, usual: int) -> int:
        """Return how many rounds to measure where `usual` is the benchmark's own number."""
        return usual if self.rounds is None else self.rounds

    def casts_of(self, usual: int, casts: int) -> list[int]:
        """Return how many rounds each of `casts` sets of fresh processes has, fewer where there are fewer rounds.

        Some interpreters are faster than others for all of their life, by as much as a quarter, depending on where
        the system put their memory: one pair of processes would tell of that.
        """
        rounds = self.rounds_of(usual)
        casts = min(casts, rounds)
        return [rounds // casts] * casts

    def amount(self, usual: int, least: int = 1) -> int:
        """Return how much work one round has where `usual` is the benchmark's own."""
        return max(round(usual * self.scale), least)


def ratio(mine: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios: what slows the machine down slows both of a round down."""
    return median(one / other for one, other in zip(mine, base, strict=True))
