"""The n-grams of one section of an ARPA file: lines of columns to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np

from penstock.counting.arpa_build import Entries
from penstock.counting.arpa_lines import Lines, shown
from penstock.counting.arpa_writer import ZERO
from penstock.counting.vocabulary import Array

__all__ = ["read_entries"]

LINES = 1 << 9
"""Lines split together: few enough to stay in the cache."""
LARGEST = float(np.finfo(np.float32).max)


def read_entries(
    lines: Lines, order: int, size: int, highest: bool, words: dict[bytes, int] | None
) -> Entries:
    """The n-grams of a section.

    Args:
        size: how many there are to be.
        highest: whether this is the highest order, which has no weights.
        words: the id of every word as spelt; None for the 1-grams, whose ids are to be set.

    Raises:
        DataError: a line is wrong; it is named.
    """
    first, parts, left = lines.number + 1, [], size
    spelling: list[bytes] = []
    while left:
        batch = lines.batch(min(left, LINES))
        if not batch:
            raise lines.fail(f"expected {left:,} more {order}-grams, got the end of the file.")
        start = lines.number - len(batch) + 1
        rows = [line.split() for line in batch]
        _complete(lines, rows, start, order, left)
        first_column, *names, last_column = zip(*rows, strict=True)
        log_p = _numbers(lines, first_column, start)
        backoff = _numbers(lines, last_column, start)
        if highest and backoff.any():
            at = start + int(np.flatnonzero(backoff)[0])
            raise lines.fail("expected no backoff in the highest order. Is the head right?", at)
        spelling += names[0] if words is None else ()
        ids = _ids(lines, names, start, words)
        parts.append((ids, _probabilities(lines, log_p, start), _weights(backoff)))
        left -= len(batch)
    none = np.zeros(0, np.float32)
    parts = parts or [(np.zeros((0, order), np.int64), none, none)]
    columns = [np.concatenate([part[column] for part in parts]) for column in range(3)]
    return Entries(columns[0], columns[1], columns[2], first, spelling)


def _complete(lines: Lines, rows: list[list[bytes]], start: int, order: int, left: int) -> None:
    """Give each row a backoff, if it has the other columns."""
    for index, row in enumerate(rows):
        if len(row) == order + 1:
            row.append(b"0")
        elif len(row) != order + 2:
            if not row or row[0].startswith(b"\\"):
                reason = f"expected {left - index:,} more {order}-grams, as the head says."
            else:
                words = "1 word" if order == 1 else f"{order} words"
                reason = (
                    f"expected log10 p, {words} and perhaps a backoff, "
                    f"got {len(row)} columns: {shown(b' '.join(row))}."
                )
            raise lines.fail(reason, start + index)


def _numbers(lines: Lines, texts: Sequence[bytes], start: int) -> Array:
    """Numbers, none of them NaN or beyond the largest float32: (n,) float64."""
    try:
        numbers = np.fromiter(map(float, texts), float, len(texts))
    except ValueError:
        numbers = np.array([_number(text) for text in texts])
    if (wrong := np.isnan(numbers) | (numbers > LARGEST)).any():
        at = int(np.flatnonzero(wrong)[0])
        raise lines.fail(f"expected a number, got {shown(texts[at])}.", start + at)
    return numbers


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _probabilities(lines: Lines, log_p: Array, start: int) -> Array:
    if (above := log_p > 0).any():
        lines.warn("log probabilities above 0 are read as 0.", start + int(np.argmax(above)))
    return _weights(np.minimum(log_p, 0))


def _weights(values: Array) -> Array:
    with np.errstate(over="ignore"):  # what is too far below 0 for float32 is log10 of 0 too
        found: Array = np.where(values == ZERO, -np.inf, values).astype(np.float32)
    return found


def _ids(
    lines: Lines, names: list[tuple[bytes, ...]], start: int, words: dict[bytes, int] | None
) -> Array:
    """Ids of the words of n-grams: (n, order); 0 for the words of order 1."""
    ids = np.zeros((len(names[0]), len(names)), np.int64)
    if words is None:
        return ids
    for column, spelt in enumerate(names):
        ids[:, column] = np.fromiter(map(words.get, spelt, repeat(-1)), np.int64, len(spelt))
    if (missing := ids < 0).any():
        row, column = np.argwhere(missing)[0]
        word = shown(names[column][row])
        raise lines.fail(f"expected words of the 1-grams, got {word}.", start + int(row))
    return ids
