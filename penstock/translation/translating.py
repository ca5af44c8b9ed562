"""Raw sentences to raw translations, many at a time, in the order they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from penstock.errors import ConfigError, DataError
from penstock.search import Draws
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder, Translation
from penstock.translation.pool import pooled

__all__ = ["Translation", "translate"]

WINDOW = 2048
"""Lines that are sorted by length together."""


def translate(
    finder: Finder,
    lines: Iterable[str],
    demands: Sequence[Demand] | None = None,
    *,
    window: int = WINDOW,
    progress: Callable[[int], object] = lambda lines: None,
) -> Iterator[Translation]:
    """The translation of each line, in order.

    Lines are read ``window`` at a time, sorted by length and searched in batches; what comes of a
    line does not depend on its neighbours.

    Args:
        finder: the systems and how they search. Those of the same target tokens search together,
            those of others judge each other's translations
            (:class:`~penstock.translation.pool.Pool`).
        lines: source sentences.
        demands: what the translation of each line must and must not be.
        window: lines that are read before the first is answered; 1 answers each at once.
        progress: told after each batch how many lines it had.

    Raises:
        ConfigError: systems, options and demands do not go together.
        DataError: there are not as many demands as lines.
    """
    if isinstance(finder.options, Draws) and any(demand.must for demand in demands or ()):
        raise ConfigError("translate: expected no phrases that must come in samples. Use a beam.")
    together = pooled(finder)
    for first, chunk, own in _windows(lines, window, demands):
        yield from together.window(first, chunk, own, progress)


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
