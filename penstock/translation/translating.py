"""Raw sentences to raw translations, many at a time, in the order they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from penstock.errors import ConfigError, DataError
from penstock.search import Beam, Draws, Risk
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder, Translation
from penstock.translation.fusion import Fusion
from penstock.translation.pool import pooled
from penstock.translation.system import System

__all__ = ["Translation", "translate"]

WINDOW = 2048
"""Lines that are sorted by length together."""


def translate(
    systems: Sequence[System],
    lines: Iterable[str],
    options: Beam | Draws | None = None,
    *,
    weights: Sequence[float] | None = None,
    fusion: Fusion | None = None,
    demands: Sequence[Demand] | None = None,
    forbidden: Sequence[str] = (),
    risk: Risk | None = None,
    attention: bool = False,
    replace_unknown: bool = True,
    shortlist: int = 0,
    window: int = WINDOW,
    progress: Callable[[int], object] = lambda lines: None,
) -> Iterator[Translation]:
    """The translation of each line, in order.

    Lines are read ``window`` at a time, sorted by length and searched in batches; what comes of a
    line does not depend on its neighbours.

    Args:
        systems: one, or several: those of the same target tokens search together, those of others
            judge each other's translations (:class:`~penstock.translation.pool.Pool`).
        options: of the search, or of the samples drawn in its place.
        weights: of several systems; their sum does not matter; by default equal.
        fusion: a language model that advises them.
        demands: what the translation of each line must and must not be.
        forbidden: phrases that come in no translation.
        risk: which of the candidates are answered; all when None.
        attention: whether hypotheses hold the attention.
        replace_unknown: whether the source word that was looked at most stands in the text where
            a token that is a word is ``<unk>`` (Luong et al. 2015).
        shortlist: likely translations of each source token that may come, beside what is common
            (:class:`~penstock.translation.shortlist.Shortlist`); every token may when 0.
        window: lines that are read before the first is answered; 1 answers each at once.
        progress: told after each batch how many lines it had.

    Raises:
        ConfigError: systems, options and demands do not go together.
        DataError: there are not as many demands as lines.
    """
    options = options or Beam()
    if isinstance(options, Draws) and any(demand.must for demand in demands or ()):
        raise ConfigError("translate: expected no phrases that must come in samples. Use a beam.")
    finder = pooled(
        Finder(
            systems,
            options,
            weights,
            fusion,
            risk,
            forbidden,
            attention,
            replace_unknown,
            shortlist,
        )
    )
    for first, chunk, own in _windows(lines, window, demands):
        yield from finder.window(first, chunk, own, progress)


def _windows(
    lines: Iterable[str], size: int, demands: Sequence[Demand] | None
) -> Iterator[tuple[int, list[str], Sequence[Demand]]]:
    """Some lines at a time: the number of the first, they, and what is demanded of each."""
    incoming, first, wanted = iter(lines), 0, len(demands or ())
    while chunk := list(islice(incoming, size)):
        last = first + len(chunk)
        if demands is not None and wanted < last:
            raise _not_as_many(wanted, f"{last:,} lines or more")
        yield first, chunk, demands[first:last] if demands else [Demand()] * len(chunk)
        first = last
    if first < wanted:
        raise _not_as_many(wanted, f"{first:,} lines")


def _not_as_many(demands: int, lines: str) -> DataError:
    return DataError(
        f"translate: expected constraints for each line, got {demands:,} for {lines}. "
        "An empty line among them demands nothing."
    )
