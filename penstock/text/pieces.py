"""Tokens that spell any text: bytes, and pieces of words made of bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from penstock.errors import ConfigError
from penstock.text.tokenise import EOS, UNK, Ids, Tokeniser, nothing_in_it

__all__ = ["BPE", "Bytes", "Spelt", "Unigram"]

_PIECES = 8192


def _byte_of_letter() -> dict[str, int]:
    """The byte that each letter of the library's byte alphabet stands for.

    A printable byte is its own letter; the others are, in order, the letters from U+0100 on.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    printable = [letter for letter in alphabet if ord(letter) < 256]
    hidden = [byte for byte in range(256) if chr(byte) not in printable]
    own = {letter: ord(letter) for letter in printable}
    return own | dict(zip(alphabet[len(printable) :], hidden, strict=True))


_BYTE = _byte_of_letter()
_LETTER = {byte: letter for letter, byte in _BYTE.items()}


class Spelt(Tokeniser):
    """Kinds whose tokens are strings of bytes, so that they spell any text and give it back.

    Attributes:
        spelling: the bytes of each token.
    """

    special = (EOS,)

    def __init__(self, library: Tokenizer) -> None:
        super().__init__(library)
        # Text that happens to read <eos> is spelt out like any other.
        library.encode_special_tokens = True
        self.spelling = [
            b"\n" if id == self.eos_id else bytes(_BYTE[character] for character in piece)
            for id, piece in enumerate(self.pieces)
        ]

    @property
    def tokens(self) -> list[str]:
        """The bytes of each token as text, those that are not a whole character as ``\\xNN``."""
        texts = [spelling.decode(errors="backslashreplace") for spelling in self.spelling]
        texts[self.eos_id] = EOS
        return texts

    def encode_text(self, text: str) -> Ids:
        lines = _encodable(text).split("\n")
        ids: list[int] = []
        for line in self.library.encode_batch_fast(lines, add_special_tokens=False):
            ids += line.ids
            ids.append(self.eos_id)
        return np.array(ids[:-1], self.dtype)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        return b"".join(self.spelling[id] for id in ids).decode(errors="replace")


class BPE(Spelt, kind="bpe"):
    """Pieces of words, joined pair by pair from bytes.

    Sennrich et al. 2016; over bytes: Radford et al. 2019.
    """

    smallest = 257

    @classmethod
    def blank(cls) -> Tokenizer:
        return _over_bytes(models.BPE(), _by_letters_and_marks())

    @classmethod
    def learn(cls, blocks: Iterable[str], vocab_size: int | None, min_count: int) -> Tokenizer:
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size or _PIECES,
            min_frequency=min_count,
            special_tokens=[EOS],
            initial_alphabet=list(_BYTE),
            show_progress=False,
        )
        return _trained(cls.blank(), blocks, trainer)


class SpacedBPE(BPE, spaced=True):
    """Pieces of what stands between spaces, as Sennrich et al. 2016 cut words apart."""

    @classmethod
    def blank(cls) -> Tokenizer:
        return _over_bytes(models.BPE(), _at_spaces())


class Unigram(Spelt, kind="unigram"):
    """Pieces of words, each with a probability (Kudo 2018), over bytes."""

    smallest = 257

    @classmethod
    def blank(cls) -> Tokenizer:
        return _over_bytes(models.Unigram(), _by_letters_and_marks())

    @classmethod
    def learn(cls, blocks: Iterable[str], vocab_size: int | None, min_count: int) -> Tokenizer:
        if min_count != 1:
            raise ConfigError(
                f"Tokeniser: expected no min_count for kind 'unigram', got {min_count=}. "
                "Set vocab_size."
            )
        trainer = trainers.UnigramTrainer(
            vocab_size=vocab_size or _PIECES,
            special_tokens=[EOS],
            initial_alphabet=list(_BYTE),
            show_progress=False,
        )
        return _reproducible(_trained(cls.blank(), blocks, trainer))


class SpacedUnigram(Unigram, spaced=True):
    """Pieces of what stands between spaces, each with a probability."""

    @classmethod
    def blank(cls) -> Tokenizer:
        return _over_bytes(models.Unigram(), _at_spaces())


class Bytes(Spelt, kind="byte"):
    """The bytes of the text as UTF-8: an id is a byte, the end of a line is byte 10."""

    special = (_LETTER[ord("\n")],)
    smallest = 256

    @classmethod
    def blank(cls) -> Tokenizer:
        bytewise = pre_tokenizers.Sequence(
            [
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                pre_tokenizers.Split("", "isolated"),
            ]
        )
        return _over_bytes(models.WordLevel(_BYTE, unk_token=UNK), bytewise)

    @classmethod
    def learn(cls, blocks: Iterable[str], vocab_size: int | None, min_count: int) -> Tokenizer:
        if vocab_size not in (None, 256) or min_count != 1:
            raise ConfigError(
                "Tokeniser: expected neither vocab_size nor min_count for kind 'byte', "
                f"got {vocab_size=}, {min_count=}. It has the 256 bytes."
            )
        return cls.blank()

    def encode_text(self, text: str) -> Ids:
        return np.frombuffer(text.encode(errors="replace"), np.uint8)


def _by_letters_and_marks() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _at_spaces() -> pre_tokenizers.PreTokenizer:
    """Each space begins a new stretch."""
    cut = pre_tokenizers.Split(" ", "merged_with_next")
    # A text that happens to read <eos> must not become the piece of that name.
    apart = pre_tokenizers.Split(Regex(f"{EOS[0]}(?={EOS[1:]})"), "isolated")
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([cut, apart, plain])


def _over_bytes(model: models.Model, cutter: pre_tokenizers.PreTokenizer) -> Tokenizer:
    library = Tokenizer(model)
    library.pre_tokenizer = cutter
    library.decoder = decoders.ByteLevel()
    return library


def _trained(library: Tokenizer, blocks: Iterable[str], trainer: trainers.Trainer) -> Tokenizer:
    """Let the library learn from the lines of ``blocks``."""
    found = False

    def lines() -> Iterator[list[str]]:
        nonlocal found
        for block in blocks:
            found = found or not block.isspace()
            yield _encodable(block).split("\n")

    library.train_from_iterator(lines(), trainer)
    if not found:
        raise nothing_in_it()
    return library


def _reproducible(library: Tokenizer) -> Tokenizer:
    """A unigram tokeniser with what its trainer leaves to chance taken away.

    The trainer sums in the order of a hash table, and hands the bytes it could not fit a falling
    score in that order, 0.0001 apart.  Rounding undoes the one, a common floor the other.
    """
    state: dict[str, Any] = json.loads(library.to_str())
    scores = {piece: score for piece, score in state["model"]["vocab"] if piece != EOS}
    floor = round(min(scores.values()), 4)
    unfitted = floor + 256 * 0.0001
    rounded = {
        piece: floor if len(piece) == 1 and score <= unfitted else round(score, 4)
        for piece, score in scores.items()
    }
    ordered = sorted(rounded.items(), key=lambda item: (-item[1], item[0]))
    library.model = models.Unigram([(EOS, 0.0), *ordered])
    return library


def _encodable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot spell."""
    return text if text.isascii() else text.encode(errors="replace").decode()
