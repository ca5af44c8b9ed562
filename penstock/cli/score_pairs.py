"""``penstock score`` of translators: what given translations cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from penstock.errors import DataError

if TYPE_CHECKING:
    from penstock.search import Entry, Hypothesis
    from penstock.translation.finder import Finder
    from penstock.translation.pool import Pool

__all__ = ["Show", "batches", "from_lines", "score_nbest", "score_pairs"]

ROWS = 64
"""Lines or pairs scored side by side, when they are short."""
ROOM = 1 << 12
"""Tokens that fit in a batch, padding counted; a longer line is read piece by piece."""
Item = TypeVar("Item")
FEATURE = "penstock"
"""Name of the new feature of an n-best list."""
Pair = tuple[str, str, str]
"""A pair as it stood, its source and its translation."""
Show = Callable[[str, list[tuple[str, float]], float], None]
"""Told a pair as it stood, the target's tokens with the log-probability of each, and of all."""


def score_pairs(paths: Sequence[Path], pairs: Iterable[Pair], show: Show) -> None:
    """Log-probabilities of translations under one translator, or several as one."""
    finder = _finder(paths)
    target, names = finder.target, finder.target.tokeniser.tokens
    for batch in batches(pairs):
        forced = finder.force([source for _, source, _ in batch], [[pair[2]] for pair in batch])
        for (line, *_), (one,) in zip(batch, forced, strict=True):
            tokens = [names[symbol] for symbol in (*one.ids, target.eos_id)]
            show(line, list(zip(tokens, one.log_ps, strict=True)), one.log_p)


def score_nbest(paths: Sequence[Path], source: Path, nbest: Path, weight: float) -> Iterator[str]:
    """The lines of an n-best list with one feature more, what each hypothesis costs.

    Args:
        paths: one translator, or several as one.
        source: the sentences that are translated.
        nbest: the list, in the format of Moses.
        weight: of the feature in the score; when it is not 0, each list is put in order anew.
    """
    from penstock.search import by_sentence, read_nbest, with_feature
    from penstock.text import read_lines

    finder = _finder(paths)
    sources = list(read_lines(source))
    lists = by_sentence(read_nbest(nbest), len(sources))
    for first in range(0, len(sources), ROWS):
        part = slice(first, first + ROWS)
        texts = [[entry.text for entry in entries] for entries in lists[part]]
        for entries, forced in zip(lists[part], finder.force(sources[part], texts), strict=True):
            more = with_feature(entries, FEATURE, [one.log_p for one in forced])
            for entry in _ranked(more, forced, weight):
                yield entry.line()


def from_lines(lines: Iterable[str]) -> Iterator[Pair]:
    """Pairs from lines of a source, a tab and a translation."""
    for number, line in enumerate(lines, 1):
        source, tab, target = line.partition("\t")
        if not tab:
            raise DataError(
                f"stdin:{number}: expected a source, a tab and a translation, got {line[:40]!r}."
            )
        yield line, source, target


def batches(
    items: Iterable[Item], length: Callable[[Item], int] = lambda item: 1
) -> Iterator[list[Item]]:
    """Some at a time, in order; those before a mistake come before its error.

    Args:
        length: tokens of one; a batch has as many as fit when padded.
    """
    batch: list[Item] = []
    longest, mistake = 0, None
    try:
        for item in items:
            longest = max(longest, length(item))
            if batch and (len(batch) == ROWS or longest * (len(batch) + 1) > ROOM):
                yield batch
                batch, longest = [], length(item)
            batch.append(item)
    except DataError as error:
        mistake = error
    if batch:
        yield batch
    if mistake:
        raise mistake


def _finder(paths: Sequence[Path]) -> Finder | Pool:
    """The translators of some folders, which judge by log p alone."""
    from penstock.search import Beam
    from penstock.translation.finder import Finder
    from penstock.translation.pool import pooled
    from penstock.translation.system import load_translator

    return pooled(Finder(list(map(load_translator, paths)), Beam(normalise="none")))


def _ranked(
    entries: Sequence[Entry], forced: Sequence[Hypothesis], weight: float
) -> Sequence[Entry]:
    """The entries with the weighted log-probability in their score; as they were without."""
    if not weight:
        return entries
    scored = [
        replace(entry, score=entry.score + weight * one.log_p)
        for entry, one in zip(entries, forced, strict=True)
    ]
    return sorted(scored, key=lambda entry: -entry.score)
