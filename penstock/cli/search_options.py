"""The settings of a search, as options of the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from penstock.training.settings import option

if TYPE_CHECKING:
    from penstock.search import Beam

__all__ = ["SearchOptions"]


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How translations are searched; see :class:`penstock.search.Beam`."""

    beam: int = option(5, "hypotheses kept of each sentence; 1 is greedy")
    nbest: int = option(1, "translations answered of each sentence")
    max_length: int = option(200, "most tokens of a translation")
    min_length: int = option(0, "fewest tokens of a translation")
    normalise: str = option(
        "average", "how hypotheses of different lengths compare: average, none, wu"
    )
    alpha: float = option(0.6, "strength of wu")
    coverage: float = option(0.0, "weight of the coverage penalty (attention only)")
    stop: str = option("full", "when a sentence is done: bound, first, full, never")
    no_repeat: int = option(0, "no so many tokens come twice (0: they may)")
    groups: int = option(1, "groups of a diverse beam")
    diversity: float = option(0.5, "what a token costs that an earlier group took")

    def options(self) -> Beam:
        """For a search.

        Raises:
            ConfigError: options that cannot be.
        """
        from penstock.search import Beam

        named = asdict(self)
        return Beam(named.pop("beam"), named.pop("nbest"), **named)
