"""Writing ARPA files, as KenLM, SRILM and other programs read them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from penstock.counting.vocabulary import Array
from penstock.files import open_atomic
from penstock.progress import Progress

if TYPE_CHECKING:
    from penstock.counting.model import NGramModel

__all__ = ["ZERO", "write_arpa"]

ZERO = -99.0
"""What stands for log10 of 0 in such files."""
LINES = 1 << 16


def write_arpa(model: NGramModel, path: Path, *, progress: Progress | None = None) -> None:
    """Write a model as ARPA, packed if the name ends in ``.gz``.

    Numbers are as short as they can be and still be read back to the same float32.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    done, total = 0, sum(map(len, model.levels))
    with open_atomic(path) as file:
        pack = path.suffix == ".gz"
        stream = gzip.GzipFile("", "wb", 6, file, 0) if pack else file
        for text, lines in _pieces(model):
            stream.write(text.encode("utf-8", "surrogateescape"))
            done += lines
            if progress and lines:
                progress(done, total)
        if pack:
            stream.close()


def _pieces(model: NGramModel) -> Iterator[tuple[str, int]]:
    """The text, and how many n-grams are in each piece of it."""
    sizes = "".join(f"ngram {n}={len(level)}\n" for n, level in enumerate(model.levels, 1))
    yield f"\\data\\\n{sizes}", 0
    words = np.array(model.vocabulary.words, object)
    for order, level in enumerate(model.levels, 1):
        yield f"\n\\{order}-grams:\n", 0
        highest = order == model.order
        for start in range(0, len(level), LINES):
            at = slice(start, start + LINES)
            columns = [_numbers(level.log_p[at])]
            columns.append(list(map(" ".join, zip(*_words(model, order, at, words), strict=True))))
            if not highest:
                columns.append(_numbers(level.backoff[at]))
            yield "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n", len(columns[0])
    yield "\n\\end\\\n", 0


def _words(model: NGramModel, order: int, at: slice, words: Array) -> list[Array]:
    """The words of some n-grams, one array for each place in the n-gram."""
    columns: list[Array] = []
    place = np.arange(*at.indices(len(model.levels[order - 1])))
    for level in reversed(model.levels[:order]):
        columns.append(words[level.word[place]])
        place = level.prefix[place]
    return columns[::-1]


def _numbers(values: Array) -> list[str]:
    """Each as text; the same number occurs many times."""
    distinct, place = np.unique(np.where(np.isneginf(values), ZERO, values), return_inverse=True)
    texts = np.array([str(value).removesuffix(".0") for value in distinct], object)
    found: list[str] = texts[place].tolist()
    return found
