"""The settings of a search, as options of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from penstock.cli.options import flags
from penstock.errors import ConfigError
from penstock.training.recipe import settings_from
from penstock.training.settings import option

if TYPE_CHECKING:
    from penstock.search import Beam, Draws, Risk
    from penstock.translation.finder import Finder
    from penstock.translation.system import System

__all__ = ["SearchOptions", "search_options"]

OF_SAMPLES = ("temperature", "top_k", "top_p", "seed")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How translations are found; see :class:`penstock.search.Beam`, ``Sampling`` and ``Risk``."""

    beam: int = option(
        0, "hypotheses kept of each sentence; 1 is greedy (0: as after training, or --nbest)"
    )
    nbest: int = option(1, "translations answered of each sentence")
    max_length: int = option(
        1000, "most tokens of a translation, besides 20 and three for each of its source"
    )
    min_length: int = option(0, "fewest tokens of a translation")
    normalise: str = option(
        "average", "how hypotheses of different lengths compare: average, none, wu"
    )
    alpha: float = option(0.6, "strength of wu")
    coverage: float = option(0.0, "weight of the coverage penalty (attention only)")
    stop: str = option("full", "when a sentence is done: bound, first, full, never")
    prune: float = option(
        0.0, "hypotheses so many nats behind the best of the open ones leave (0: none)"
    )
    shortlist: int = option(
        0, "likely tokens of each source token that may come, beside what is common (0: all may)"
    )
    no_repeat: int = option(0, "no so many tokens come twice (0: they may)")
    groups: int = option(1, "groups of a diverse beam")
    diversity: float = option(0.5, "what a token costs that an earlier group took")
    sample: bool = option(False, "draw translations by chance instead of searching")
    temperature: float = option(1.0, "of samples: below 1 plainer, above 1 wilder, 0 the likeliest")
    top_k: int = option(0, "of samples: only among the k likeliest tokens (0: all)")
    top_p: float = option(1.0, "of samples: only among the likeliest tokens up to p")
    seed: int = option(1, "of samples: start of the random numbers")
    mbr: int = option(
        0, "candidates, or samples, among which minimum Bayes risk chooses (0: the likeliest wins)"
    )
    utility: str = option("chrf", "what minimum Bayes risk expects most of: bleu, chrf")
    lm_weight: float = option(0.3, "weight of the language model")

    def finder(self, systems: Sequence[System], trained: int) -> Finder:
        """What searches so.

        Args:
            trained: see :meth:`options`.
        """
        from penstock.translation.finder import Finder

        return Finder(systems, self.options(trained), risk=self.risk(), shortlist=self.shortlist)

    def options(self, trained: int) -> Beam | Draws:
        """For a search, or for samples.

        Args:
            trained: the beam that the model was measured with after training.

        Raises:
            ConfigError: options that cannot be.
        """
        from penstock.search import Beam, Draws, Sampling

        nbest, lengths = self.mbr or self.nbest, (self.max_length, self.min_length)
        if self.sample:
            sampling = Sampling(self.temperature, self.top_k, self.top_p)
            return Draws(nbest, sampling, self.seed, *lengths)
        own = {name: getattr(self, name) for name in _of_beams()}
        size = self.beam or max(trained, nbest)
        if not self.beam and self.groups > 1:
            size += -size % self.groups
        return Beam(size, nbest, *lengths, **own)

    def risk(self) -> Risk | None:
        """Which of the candidates are answered, if it is not the likeliest.

        Raises:
            ConfigError: options that cannot be.
        """
        from penstock.search import Risk

        return Risk(self.utility, self.nbest) if self.mbr else None


def search_options(command: str, given: Mapping[str, Any], *, fused: bool) -> SearchOptions:
    """The settings the user gave, with the others as they are.

    Args:
        command: whose options they are, for messages.
        fused: whether a language model is named.

    Raises:
        ConfigError: one has no effect beside the others, or they cannot be together.
    """
    chosen: SearchOptions = settings_from(SearchOptions, given)
    if faults := list(_faults(chosen, given, fused)):
        raise ConfigError(f"{command}: {' '.join(faults)}")
    return chosen


def _faults(chosen: SearchOptions, given: Iterable[str], fused: bool) -> Iterator[str]:
    kinds = {"beam", *_of_beams()}, OF_SAMPLES
    beams, samples = ([name for name in given if name in own] for own in kinds)
    if chosen.sample and beams:
        yield f"expected no {flags(beams)} with --sample: samples are drawn, not searched for."
    if samples and not chosen.sample:
        yield f"expected --sample with {flags(samples)}."
    if chosen.mbr < 0:
        yield f"expected --mbr of 0 or more, got {chosen.mbr}."
    if "utility" in given and not chosen.mbr:
        yield "expected --mbr N with --utility, the number of candidates."
    if chosen.mbr and chosen.nbest > chosen.mbr:
        yield f"expected --nbest of at most --mbr {chosen.mbr}, got {chosen.nbest}."
    if chosen.beam and not chosen.sample:
        for name, asked in (("--mbr", chosen.mbr), ("--nbest", chosen.nbest)):
            if asked > chosen.beam:
                yield f"expected --beam of at least {name} {asked}, got {chosen.beam}."
    if "alpha" in given and chosen.normalise != "wu":
        yield "expected --normalise wu with --alpha."
    if "diversity" in given and chosen.groups == 1:
        yield "expected --groups of 2 or more with --diversity."
    if "lm_weight" in given and not fused:
        yield "expected --lm MODEL with --lm-weight."


def _of_beams() -> set[str]:
    """What a beam has and samples have not, but for its size, the option ``beam``."""
    from penstock.search import Beam, Draws

    names = [{item.name for item in fields(kind)} for kind in (Beam, Draws)]
    return names[0] - names[1] - {"size"}
