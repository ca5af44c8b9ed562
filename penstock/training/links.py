"""Word alignments given with the training text, as links between tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from penstock.errors import DataError
from penstock.text import PairCorpus, SentenceTokeniser
from penstock.text.pair_lines import parsed, short
from penstock.text.tokenise import Ids

__all__ = ["read_links"]

Link = tuple[int, int]
Places = dict[int, list[int]]
"""The places of the tokens of each word, by its number."""
_LINK = re.compile(r"([0-9]+)[-?p]([0-9]+)")


def read_links(files: Sequence[Path], corpus: PairCorpus) -> dict[int, list[Link]]:
    """For each line of the text, pairs of a source token and a target token, from 0.

    Args:
        files: a line ``0-0 1-2 ...`` for each pair: a source word and a target word, from 0, as
            the tokenisers part words. What is linked are all tokens of both words.
        corpus: the pairs.

    Raises:
        DataError: a line is no alignment, or there are more or fewer lines than pairs.
    """
    wanted = {int(line): row for row, line in enumerate(corpus.lines)}
    found = {}
    number = -1
    lines = ((f, n, links) for f in files for n, links in enumerate(parsed(f, _words), 1))
    for number, (file, line, words) in enumerate(lines):
        if (row := wanted.get(number)) is not None:
            source, target = (
                _places(side.tokeniser, side[row][:-1]) for side in (corpus.src, corpus.tgt)
            )
            found[number] = list(_of_tokens(words, source, target, f"{file}:{line}"))
    if number + 1 != corpus.counts.total:
        raise DataError(
            f"{files[0]}: expected a line of links for each of {corpus.counts.total:,} pairs, got "
            f"{number + 1:,}."
        )
    return found


def _of_tokens(words: Sequence[Link], source: Places, target: Places, where: str) -> Iterator[Link]:
    """The links of all tokens of linked words."""
    for left, right in words:
        if left > max(source, default=-1) or right > max(target, default=-1):
            raise DataError(
                f"{where}: expected links of words that are there, got {left}-{right}. Words are "
                "counted from 0, as the tokenisers part them."
            )
        yield from product(source.get(left, ()), target.get(right, ()))


def _words(text: str) -> list[Link]:
    found = [_LINK.fullmatch(part) for part in text.split()]
    if not all(found):
        raise ValueError(f"expected links such as 0-0 1-2, got {short(text)!r}.")
    return [(int(link[1]), int(link[2])) for link in found if link]


def _places(tokeniser: SentenceTokeniser, ids: Ids) -> Places:
    """Word number to the places of its tokens."""
    places: Places = {}
    for place, word in enumerate(tokeniser.word_numbers(ids.tolist())):
        places.setdefault(word, []).append(place)
    return places
