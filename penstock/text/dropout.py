"""BPE-dropout from a seed: Provilkov, Emelianenko & Voita 2020.

The ``tokenizers`` library has BPE-dropout, but draws from a generator that cannot be seeded; a run
that is resumed could not go on with the same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from random import Random

from penstock.errors import ConfigError
from penstock.text.pieces import BPE

__all__ = ["BPEDropout"]

Merge = tuple[int, int, bool]
"""Rank, the piece that comes of it, and whether it may be dropped."""
Pieces = tuple[int, ...]
Candidate = tuple[int, int, bool]
"""Place in the word, the piece that comes of the merge, and whether it may be dropped."""
_LONGEST = 100
"""Bytes from which a word is left as it is: a merge looks at the whole word."""
_REMEMBERED = 1 << 18
"""Words, whole and half spelt, whose merges are remembered, half a kilobyte each."""
_FOREVER = 1 << 60


class BPEDropout:
    """Other ways to spell the words of a sentence with the pieces of a BPE tokeniser.

    Each time a merge could be applied to two neighbours it is left out with probability ``p``; of
    the merges that remain the first learnt is applied, until none remains (algorithm 1).  The
    bytes of one character are always joined, so that pieces are made of characters as in the paper.

    Args:
        tokeniser: its merges are used.
    """

    def __init__(self, tokeniser: BPE) -> None:
        spelling = tokeniser.spelling
        merges: list[list[str]] = json.loads(tokeniser.library.to_str())["model"]["merges"]
        self._merges: dict[tuple[int, int], Merge] = {}
        for rank, (left, right) in enumerate(merges):
            pair = tokeniser.ids[left], tokeniser.ids[right]
            droppable = all(_whole(spelling[id]) for id in pair)
            self._merges[pair] = rank, tokeniser.ids[left + right], droppable
        single = {text: id for id, text in enumerate(spelling) if id != tokeniser.eos_id}
        self._bytes = [[single[bytes([byte])] for byte in text] for text in spelling]
        self._starts = [text.startswith(b" ") for text in spelling]
        self._path = lru_cache(_REMEMBERED)(self._learn)
        self._candidates = lru_cache(_REMEMBERED)(self._rank)

    def resample(self, ids: Sequence[int], p: float, generator: Random) -> list[int]:
        """Ids that spell the same text as ``ids``, which are the tokeniser's own.

        Args:
            p: probability with which a merge is left out, 0 <= p < 1.
            generator: where the randomness comes from, and nowhere else.

        Raises:
            ConfigError: when ``p`` is out of range.
        """
        if not 0 <= p < 1:
            raise ConfigError(f"BPEDropout: expected 0 <= p < 1, got {p=}. The paper has p=0.1.")
        if p == 0:
            return list(ids)
        draws = _Draws(p, generator)
        found: list[int] = []
        for word in self._words(ids):
            path = self._path(word)
            kept = draws.skip(len(path) - 1)
            whole = kept == len(path) - 1
            found += path[kept] if whole else self._merged(path[kept], draws.keep)
        return found

    def _words(self, ids: Iterable[int]) -> Iterator[Pieces]:
        """The pieces of each word: a word starts with a space."""
        word: list[int] = []
        for id in ids:
            if self._starts[id] and word:
                yield tuple(word)
                word = []
            word.append(id)
        if word:
            yield tuple(word)

    def _learn(self, word: Pieces) -> list[Pieces]:
        """The word before each draw when every merge is kept, and when all are done."""
        pieces = tuple(byte for id in word for byte in self._bytes[id])
        path: list[Pieces] = []

        def keep(state: Pieces) -> bool:
            path.append(state)
            return True

        end = self._merged(pieces, keep) if len(pieces) < _LONGEST else word
        return [*path, end]

    def _merged(self, pieces: Pieces, keep: Callable[[Pieces], bool]) -> Pieces:
        """The pieces after every merge that was not dropped."""
        while True:
            for at, piece, droppable in self._candidates(pieces):
                if not droppable or keep(pieces):
                    pieces = (*pieces[:at], piece, *pieces[at + 2 :])
                    break
            else:
                return pieces

    def _rank(self, pieces: Pieces) -> list[Candidate]:
        """The merges of neighbours, the first learnt first."""
        ranked = sorted(
            (*self._merges[pair], at)
            for at, pair in enumerate(pairwise(pieces))
            if pair in self._merges
        )
        return [(at, piece, droppable) for _, piece, droppable, at in ranked]


class _Draws:
    """Whether to keep a merge, again and again; each is dropped with probability p.

    The number kept before the next is dropped is drawn at once: it is geometric.
    """

    def __init__(self, p: float, generator: Random) -> None:
        self._log_kept, self._random = math.log1p(-p), generator.random
        self._left = self._run()

    def _run(self) -> int:
        return int(min(math.log1p(-self._random()) / self._log_kept, _FOREVER))

    def keep(self, _: object) -> bool:
        """Whether to keep the next merge."""
        if self._left:
            self._left -= 1
            return True
        self._left = self._run()
        return False

    def skip(self, most: int) -> int:
        """Take draws while they keep, ``most`` at most; their number."""
        number = min(most, self._left)
        self._left -= number
        return number


def _whole(spelling: bytes) -> bool:
    """Whether the bytes are characters, none of them cut."""
    try:
        spelling.decode()
    except UnicodeDecodeError:
        return False
    return True
