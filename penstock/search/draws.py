"""The settings of sequences drawn by chance."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.errors import ConfigError
from penstock.search.options import LONGEST, Beam
from penstock.search.sample import Sampling

__all__ = ["Draws"]


@dataclass(frozen=True)
class Draws:
    """How hypotheses are drawn, where a :class:`~penstock.search.options.Beam` searches for them.

    Attributes:
        nbest: how many are answered of each sentence, in the order they were drawn.
        sampling: how the next symbol is drawn.
        seed: of the random numbers.
        max_length: most symbols of a hypothesis, the end not counted; at it, the end is taken.
        min_length: fewest.
    """

    nbest: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 1
    max_length: int = LONGEST
    min_length: int = 0

    def __post_init__(self) -> None:
        if self.nbest < 1 or self.seed < 0:
            raise ConfigError(
                "Draws: expected nbest >= 1 and seed >= 0, got "
                f"nbest={self.nbest}, seed={self.seed}."
            )
        Beam(1, max_length=self.max_length, min_length=self.min_length)

    @property
    def size(self) -> int:
        """Hypotheses side by side of each sentence."""
        return self.nbest
