"""The settings of a beam search."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import ConfigError
from penstock.search.finished import STOPS
from penstock.search.penalty import Score

__all__ = ["LONGEST", "Beam"]

LONGEST = 1000
"""Symbols of a hypothesis at most, by default."""


@dataclass(frozen=True)
class Beam:
    """How hypotheses are searched and ranked.

    Attributes:
        size: hypotheses kept of each sentence, K; 1 is greedy search.
        nbest: how many are answered, at most ``size``.
        max_length: most symbols of a hypothesis, the end not counted; at it, the end is taken.
        min_length: fewest.
        normalise: "none", "average" or "wu" (:class:`~penstock.search.penalty.Score`).
        alpha: of "wu".
        coverage: weight of the coverage penalty; asks for a model with attention.
        stop: when a sentence is done (:data:`~penstock.search.finished.STOPS`).
        prune: an open hypothesis so many nats behind the best of its beam leaves (0: none does);
            faster, and seldom another answer (Freitag & Al-Onaizan 2017, relative pruning). None
            does where phrases must come, which hypotheses that lag behind may have.
        no_repeat: n, no n symbols come twice in a hypothesis (0: they may).
        groups: G, diverse beams of K / G hypotheses each (Vijayakumar et al. 2018).
        diversity: what a symbol costs a group for each time an earlier group took it in this step.
    """

    size: int = 5
    nbest: int = 1
    max_length: int = LONGEST
    min_length: int = 0
    normalise: str = "average"
    alpha: float = 0.6
    coverage: float = 0.0
    stop: str = "full"
    prune: float = 0.0
    no_repeat: int = 0
    groups: int = 1
    diversity: float = 0.5

    def __post_init__(self) -> None:
        STOPS[self.stop]
        self.score()
        for name, least in (("size", 1), ("nbest", 1), ("groups", 1), ("min_length", 0)):
            if getattr(self, name) < least:
                raise self._error(f"{name} >= {least}", name)
        if self.nbest > self.size:
            raise self._error("nbest of at most size", "nbest", "size")
        if self.max_length < self.min_length:
            raise self._error("max_length of at least min_length", "max_length", "min_length")
        if self.size % self.groups:
            raise self._error("a size that groups divides", "size", "groups")
        names = "no_repeat", "diversity", "prune"
        if not all(0 <= getattr(self, name) < float("inf") for name in names):
            raise self._error(f"{', '.join(names)} >= 0", *names)

    @property
    def width(self) -> int:
        """Hypotheses of a group."""
        return self.size // self.groups

    @property
    def compared(self) -> int:
        """Best continuations of a group that are looked at.

        One continuation of each hypothesis may end, so that of twice as many as the group holds
        enough go on.
        """
        return 2 * self.width

    @property
    def wanted(self) -> int:
        """Finished hypotheses of a group that make the n best."""
        return -(-self.nbest // self.groups)

    def score(self) -> Score:
        """How finished hypotheses are ranked."""
        return Score(self.normalise, self.alpha, self.coverage)

    def _error(self, expected: str, *names: str) -> ConfigError:
        got = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return ConfigError(f"Beam: expected {expected}, got {got}.")
