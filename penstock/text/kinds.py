"""The kinds of token: words, characters, pieces of words, bytes."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from penstock.errors import ConfigError, DataError
from penstock.text.tokenise import EOS, UNK, Ids, Tokeniser

__all__ = ["BPE", "Bytes", "Characters", "Unigram", "Words"]

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
        return np.fromiter(ids, self.dtype, len(words))  # type: ignore[arg-type]

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


class _Spelt(Tokeniser):
    """Kinds whose tokens are strings of bytes, so that they spell any text and give it back."""

    _BYTES: ClassVar[dict[str, int]]

    def __init__(self, library: Tokenizer) -> None:
        super().__init__(library)
        # Text that happens to read <eos> is spelt out like any other.
        library.encode_special_tokens = True
        self._spelling = [
            b"\n" if id == self.eos_id else bytes(_BYTE[character] for character in piece)
            for id, piece in enumerate(self.pieces)
        ]

    @property
    def tokens(self) -> list[str]:
        """The bytes of each token as text, those that are not a whole character as ``\\xNN``."""
        texts = [spelling.decode(errors="backslashreplace") for spelling in self._spelling]
        texts[self.eos_id] = EOS
        return texts

    def encode_text(self, text: str) -> Ids:
        ids: list[int] = []
        for line in self.library.encode_batch_fast(text.split("\n"), add_special_tokens=False):
            ids += line.ids
            ids.append(self.eos_id)
        return np.array(ids[:-1], self.dtype)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        return b"".join(self._spelling[id] for id in ids).decode(errors="replace")
