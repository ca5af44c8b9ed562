"""Word alignments given with the training text, as links between tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from penstock.errors import DataError
from penstock.text import PairCorpus, SentenceTokeniser
from penstock.text.pair_lines import parsed, short
from penstock.text.tokenise import Ids

__all__ = ["read_links"]

Link = tuple[int, int]
_LINK = re.compile(r"([0-9]+)[-?p]([0-9]+)")


def read_links(files: Sequence[Path], corpus: PairCorpus) -> dict[int, list[Link]]:
    """For each line of the text, pairs of a source token and a target token, from 0.

    Args:
        files: a line ``0-0 1-2 ...`` for each pair: a source word and a target word, from 0, as
            the tokenisers part words. What is linked are all tokens of both words.
        corpus: the pairs.

    Raises:
        DataError: a line is no alignment, or there are too few.
    """
    wanted = {int(line): row for row, line in enumerate(corpus.lines)}
    found = {}
    number = -1
    lines = chain.from_iterable(parsed(file, _words) for file in files)
    for number, words in enumerate(lines):
        if (row := wanted.get(number)) is not None:
            sides = [_places(side.tokeniser, side[row][:-1]) for side in (corpus.src, corpus.tgt)]
            found[number] = [
                (source, target)
                for left, right in words
                for source in sides[0].get(left, ())
                for target in sides[1].get(right, ())
            ]
    if missing := wanted.keys() - found.keys():
        raise DataError(
            f"{files[0]}: expected a line of links for each of at least {max(missing) + 1:,} "
            f"pairs, got {number + 1:,}."
        )
    return found


def _words(text: str) -> list[Link]:
    found = [_LINK.fullmatch(part) for part in text.split()]
    if not all(found):
        raise ValueError(f"expected links such as 0-0 1-2, got {short(text)!r}.")
    return [(int(link[1]), int(link[2])) for link in found if link]


def _places(tokeniser: SentenceTokeniser, ids: Ids) -> dict[int, list[int]]:
    """Word number to the places of its tokens."""
    places: dict[int, list[int]] = {}
    for place, word in enumerate(tokeniser.word_numbers(ids.tolist())):
        places.setdefault(word, []).append(place)
    return places
