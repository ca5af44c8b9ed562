"""The words of an n-gram model and their numbers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from penstock.errors import ConfigError, DataError

__all__ = ["BOS", "EOS", "UNK", "WHITE", "Array", "Vocabulary", "first_repeat"]

BOS, EOS, UNK = "<s>", "</s>", "<unk>"
MARKS = 2
"""Words that are predicted in every vocabulary: ``</s>`` and ``<unk>``."""
Array = np.ndarray[Any, np.dtype[Any]]
WHITE = frozenset(" \t\n\r\v\f")
"""What separates words in an ARPA file; other white space may be part of a word there."""


class Vocabulary:
    """Words and their ids: ``</s>`` is 0, ``<unk>`` is 1 and ``<s>`` is the last.

    ``</s>`` ends a sentence and is predicted, ``<s>`` begins one and is not; ``<unk>`` stands for
    every word that is not here.  A literal ``<unk>`` in a text is that word.

    Args:
        words: the words besides these three, each once.

    Raises:
        DataError: a word is there twice, is empty, or has white space in it.

    >>> vocabulary = Vocabulary(["a", "rose"])
    >>> vocabulary.words
    ['</s>', '<unk>', 'a', 'rose', '<s>']
    >>> vocabulary.encode("a red rose")
    [2, 1, 3]
    """

    eos_id, unk_id = 0, 1

    def __init__(self, words: Iterable[str]) -> None:
        self.words = [EOS, UNK, *words, BOS]
        if (at := first_repeat(self.words)) is not None:
            word = self.words[at]
            what = "which the model keeps for itself" if word in (BOS, EOS, UNK) else "twice"
            raise DataError(
                f"Vocabulary: expected every word once, got {word!r} {what}. "
                "Take it out of the text."
            )
        for word in self.words:
            if not word or not WHITE.isdisjoint(word):
                raise DataError(f"Vocabulary: expected words without white space, got {word!r}.")

    @classmethod
    def of_lines(
        cls, lines: Iterable[str], *, size: int | None = None, min_count: int = 1
    ) -> Vocabulary:
        """The words of a text, the frequent first.

        Args:
            size: most words to have, ``</s>`` and ``<unk>`` counted.
            min_count: occurrences below which a word is left out.

        >>> Vocabulary.of_lines(["a rose is", "a rose"], min_count=2).words
        ['</s>', '<unk>', 'a', 'rose', '<s>']
        """
        if min_count < 1 or (size is not None and size < MARKS):
            raise ConfigError(
                f"Vocabulary: expected min_count of 1 and size of {MARKS} at least, "
                f"got {min_count=}, {size=}."
            )
        counts = Counter(word for line in lines for word in line.split())
        counts.pop(UNK, None)
        known = sorted((-n, word) for word, n in counts.items() if n >= min_count)
        return cls([word for _, word in known][: None if size is None else size - MARKS])

    @property
    def bos_id(self) -> int:
        return len(self.words) - 1

    @property
    def tokens(self) -> list[str]:
        """The words that are predicted, as a tokeniser names them: all but ``<s>``."""
        return ["<eos>", *self.words[1:-1]]

    def __len__(self) -> int:
        """Words that are predicted (V): all but ``<s>``."""
        return len(self.words) - 1

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every word that may stand in a line."""
        return {word: id for id, word in enumerate(self.words[:-1])}

    def encode(self, line: str) -> list[int]:
        """Ids of a line's words, without its end."""
        return list(map(self.ids.get, line.split(), itertools.repeat(self.unk_id)))

    def encode_text(self, text: str) -> Array:
        r"""Ids of a text, each ``\n`` in it as ``</s>``: (tokens,) int32.

        >>> Vocabulary(["a"]).encode_text("a b\na\n")
        array([2, 1, 0, 2, 0], dtype=int32)
        """
        words = text.replace("\n", f" {EOS} ").split()
        ids = map(self.ids.get, words, itertools.repeat(self.unk_id))
        return np.fromiter(ids, np.int32, len(words))


def first_repeat(words: Sequence[str]) -> int | None:
    """Where a word stands that has stood before, if one does."""
    first = dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))
    repeats = (at for at, word in enumerate(words) if first[word] != at)
    return next(repeats, None) if len(first) < len(words) else None
