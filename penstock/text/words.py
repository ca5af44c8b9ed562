"""Tokens found in the text as they are: words and characters, numbered by how often they occur."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from penstock.errors import DataError
from penstock.text.tokenise import EOS, UNK, Ids, Tokeniser, nothing_in_it

__all__ = ["Characters", "Words"]

_CODE_POINTS = 0x110000


class Words(Tokeniser, kind="word"):
    """What stands between white space, as ``str.split`` has it.

    A literal ``<unk>`` in the text is the token for unknown words, and a literal ``<eos>`` the one
    for the end of a line.
    """

    smallest = 3

    @classmethod
    def blank(cls) -> Tokenizer:
        library = Tokenizer(models.WordLevel(unk_token=UNK))
        # The library's own WhitespaceSplit lacks U+001C to U+001F, which str.split cuts at.
        library.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\x1c-\x1f]+"), "removed")
        return library

    @classmethod
    def learn(cls, blocks: Iterable[str], vocab_size: int | None, min_count: int) -> Tokenizer:
        counts: Counter[str] = Counter()
        for block in blocks:
            counts.update(block.split())
        return _numbered(cls.blank(), counts, vocab_size, min_count)

    def encode_text(self, text: str) -> Ids:
        # One look-up in a dictionary is 3 times faster than the library on two threads.
        words = text.replace("\n", f" {EOS} ").split()
        ids = map(self.ids.get, words, itertools.repeat(self.unk_id))
        return np.fromiter(ids, self.dtype, len(words))

    def decode(self, ids: Sequence[int] | Ids) -> str:
        words = ("\n" if id == self.eos_id else self.pieces[id] for id in ids)
        return " ".join(words).replace(" \n", "\n").replace("\n ", "\n")


class Characters(Tokeniser, kind="character"):
    """Every code point of the text; ``<unk>`` for those the training text lacks."""

    smallest = 3

    def __init__(self, library: Tokenizer) -> None:
        super().__init__(library)
        self._table = np.full(_CODE_POINTS, self.unk_id, self.dtype)
        for piece, id in self.ids.items():
            if len(piece) == 1:
                self._table[ord(piece)] = id
        self._table[ord("\n")] = self.eos_id

    @classmethod
    def blank(cls) -> Tokenizer:
        library = Tokenizer(models.WordLevel(unk_token=UNK))
        library.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        library.decoder = decoders.Fuse()
        return library

    @classmethod
    def learn(cls, blocks: Iterable[str], vocab_size: int | None, min_count: int) -> Tokenizer:
        totals = np.zeros(_CODE_POINTS, np.int64)
        for block in blocks:
            points, counts = np.unique(_code_points(block), return_counts=True)
            totals[points] += counts
        totals[ord("\n")] = 0
        seen = {chr(point): int(totals[point]) for point in np.flatnonzero(totals)}
        return _numbered(cls.blank(), seen, vocab_size, min_count)

    def encode_text(self, text: str) -> Ids:
        return self._table.take(_code_points(text))

    def decode(self, ids: Sequence[int] | Ids) -> str:
        return "".join("\n" if id == self.eos_id else self.pieces[id] for id in ids)


def _numbered(
    library: Tokenizer, counts: Mapping[str, int], vocab_size: int | None, min_count: int
) -> Tokenizer:
    """Give ``library`` the tokens counted: the frequent first, those as frequent by their text."""
    if not counts:
        raise nothing_in_it()
    special = EOS, UNK
    known = [(-n, token) for token, n in counts.items() if n >= min_count and token not in special]
    if not known:
        raise DataError(f"Tokeniser: no token occurs {min_count=} times. Take a lower min_count.")
    tokens = [*special, *(token for _, token in sorted(known))][:vocab_size]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    library.model = models.WordLevel(vocabulary, unk_token=UNK)
    return library


def _code_points(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
