"""Raw sentences to ids and back, for one side of a translator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from penstock.errors import ConfigError, DataError
from penstock.files import write_atomic
from penstock.text.dropout import BPEDropout
from penstock.text.pieces import BPE, SpacedBPE, SpacedUnigram, Unigram
from penstock.text.preparation import Preparation
from penstock.text.tokenise import EOS, UNK, Ids, Tokeniser

__all__ = ["SentenceTokeniser"]

MOSES = Preparation()
_FORMAT = 1
_PIECES = (BPE, Unigram)


class SentenceTokeniser:
    """A raw sentence to the ids of its tokens, and back to a raw sentence.

    Pieces of words (kinds bpe and unigram) carry the space before their word, the first word
    of a sentence too, so that it is spelt with the same pieces as any other.

    Attributes:
        tokeniser: what numbers the tokens; both sides of a translator may share one.
        preparation: what is done to a line before and undone after.
    """

    def __init__(self, tokeniser: Tokeniser, preparation: Preparation) -> None:
        self.tokeniser = tokeniser
        self.preparation = preparation
        self._of_pieces = isinstance(tokeniser, _PIECES)
        spaced = isinstance(tokeniser, SpacedBPE | SpacedUnigram)
        if preparation.pretokenise == "marks" and (spaced or not self._of_pieces):
            raise ConfigError(
                "SentenceTokeniser: expected kind 'bpe' or 'unigram' for pretokenise='marks', "
                f"got kind={tokeniser.kind!r}. Use pretokenise='moses' or 'none'."
            )

    # -- making one ------------------------------------------------------------------------------

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        kind: str = "bpe",
        *,
        vocab_size: int | None = None,
        min_count: int = 1,
        preparation: Preparation = MOSES,
    ) -> SentenceTokeniser:
        """One whose vocabulary is learnt from raw lines.

        Args:
            kind: "word", "character", "byte", "bpe" or "unigram", see :meth:`Tokeniser.train`.
            vocab_size: most tokens to have.
            min_count: least occurrences of a word or character, or of a pair to be merged.

        Raises:
            ConfigError: for an unknown kind, or a size that kind cannot have.
            DataError: for lines without a token.
        """
        texts = _prepared(lines, kind, preparation)
        return cls(_learned(texts, kind, vocab_size, min_count, preparation), preparation)

    @classmethod
    def train_joint(
        cls,
        pairs: Iterable[tuple[str, str]],
        kind: str = "bpe",
        *,
        vocab_size: int | None = None,
        min_count: int = 1,
        preparations: tuple[Preparation, Preparation],
    ) -> tuple[SentenceTokeniser, SentenceTokeniser]:
        """Two, source and target, that share one vocabulary learnt from both sides of the pairs.

        Raises:
            ConfigError, DataError: as :meth:`train`.
        """
        src, tgt = preparations
        if (src.pretokenise == "marks") != (tgt.pretokenise == "marks"):
            raise ConfigError(
                "SentenceTokeniser: expected pretokenise='marks' for both sides of a joint "
                f"vocabulary or for none, got {src.pretokenise!r} and {tgt.pretokenise!r}."
            )
        texts = (
            text
            for pair in pairs
            for line, preparation in zip(pair, preparations, strict=True)
            for text in _prepared([line], kind, preparation)
        )
        shared = _learned(texts, kind, vocab_size, min_count, src)
        return cls(shared, src), cls(shared, tgt)

    def save(self, folder: str | Path, name: str) -> None:
        """Keep it as ``NAME.json`` and ``NAME.tokenizer.json`` in the folder."""
        self.tokeniser.save(Path(folder) / f"{name}.tokenizer.json")
        state = {
            "format": _FORMAT,
            "preparation": asdict(self.preparation),
            "tokeniser": self.tokeniser.fingerprint,
        }
        write_atomic(Path(folder) / f"{name}.json", json.dumps(state, indent=2).encode())

    @classmethod
    def load(cls, folder: str | Path, name: str) -> SentenceTokeniser:
        """The one kept in the folder under that name.

        Raises:
            DataError: when a file is missing, damaged, or not the one it was saved with.
        """
        file = Path(folder) / f"{name}.json"
        try:
            state: dict[str, Any] = json.loads(file.read_bytes())
            preparation = Preparation(**state["preparation"])
            fingerprint = state["tokeniser"]
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{file}: expected a tokeniser's settings ({reason}).") from error
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{file}: expected the settings of a tokeniser, got something else ({error})."
            ) from error
        loaded = cls(Tokeniser.load(Path(folder) / f"{name}.tokenizer.json"), preparation)
        if loaded.tokeniser.fingerprint != fingerprint:
            raise DataError(
                f"{Path(folder) / name}.tokenizer.json: expected the tokeniser it was saved with, "
                f"got another than {name}.json tells of. Copy both files from the same model."
            )
        return loaded

    # -- using it --------------------------------------------------------------------------------

    def encode(
        self,
        line: str,
        dropout: float = 0.0,
        generator: Random | None = None,
    ) -> list[int]:
        """Ids of a raw line, without an end.

        Args:
            dropout: probability of leaving a merge out, for kind bpe; see :class:`BPEDropout`.
            generator: where its randomness comes from.
        """
        ids = self.tokeniser.encode(self.prepare(line))
        return self.resample(ids, dropout, generator) if dropout else ids

    def encode_lines(self, lines: Iterable[str]) -> list[Ids]:
        """Ids of raw lines, ``<eos>`` after each; many lines at once are quicker."""
        ids = self.tokeniser.encode_lines(map(self.prepare, lines))
        ends = np.flatnonzero(ids == self.eos_id) + 1
        return np.split(ids, ends[:-1]) if len(ends) else []

    def resample(self, ids: Sequence[int], dropout: float, generator: Random | None) -> list[int]:
        """Other ids for the sentence that ``ids`` spell, drawn by BPE-dropout.

        Raises:
            ConfigError: for another kind than bpe, or without a generator.
        """
        if generator is None:
            raise ConfigError("SentenceTokeniser: expected a generator for dropout, got none.")
        return self._dropout.resample(ids, dropout, generator)

    def decode(self, ids: Iterable[int]) -> str:
        """The raw line that ids spell, up to the first ``<eos>``; never more than one line."""
        sentence = takewhile(lambda id: id != self.eos_id, ids)
        text = self.tokeniser.decode([int(id) for id in sentence])
        return self.preparation.undo(text.removeprefix(" ") if self._of_pieces else text)

    def prepare(self, line: str) -> str:
        """The line as the tokeniser takes it."""
        return next(_prepared([line], self.tokeniser.kind, self.preparation))

    def words(self, line: str) -> list[str]:
        """The words and marks of a line, as they are before they are cut into pieces."""
        text = self.prepare(line)
        if self.tokeniser.kind == "word":
            return text.split()
        return text.removeprefix(" " if self._of_pieces else "").split(" ") if text else []

    def tokens(self, line: str) -> list[str]:
        """The text of each token of a line."""
        return [self.tokeniser.tokens[id] for id in self.encode(line)]

    def word_numbers(self, ids: Sequence[int]) -> list[int]:
        """The number, from 0, of the word in :meth:`words` that each token begins in."""
        if self.tokeniser.kind == "word":
            return list(range(len(ids)))
        before = -1 if self._of_pieces else 0
        numbers = []
        for id in ids:
            token = self.tokeniser.tokens[id]
            numbers.append(before + len(token) - len(token.lstrip(" ")))
            before += token.count(" ")
        return numbers

    @property
    def whole_words(self) -> dict[str, int]:
        """The words that are one token each, and its id; of characters, all."""
        tokens, first = enumerate(self.tokeniser.tokens), " " if self._of_pieces else ""
        return {token[len(first) :]: id for id, token in tokens if token.startswith(first)}

    @property
    def vocab_size(self) -> int:
        return self.tokeniser.vocab_size

    @property
    def eos_id(self) -> int:
        """The end of a sentence."""
        return self.tokeniser.eos_id

    @property
    def bos_id(self) -> int:
        """What a decoder is given first: the end of the sentence before."""
        return self.tokeniser.eos_id

    @property
    def unk_id(self) -> int | None:
        return self.tokeniser.unk_id

    @cached_property
    def fingerprint(self) -> str:
        """Digest that two share when they give every raw line the same ids and back."""
        state = [self.tokeniser.fingerprint, asdict(self.preparation)]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()

    @cached_property
    def _dropout(self) -> BPEDropout:
        if not isinstance(self.tokeniser, BPE):
            raise ConfigError(
                "SentenceTokeniser: expected kind 'bpe' for BPE-dropout, "
                f"got kind={self.tokeniser.kind!r}. Set dropout to 0."
            )
        return BPEDropout(self.tokeniser)


def _prepared(lines: Iterable[str], kind: str, preparation: Preparation) -> Iterator[str]:
    """The lines as the tokeniser of that kind takes them."""
    for line in lines:
        text = preparation.apply(line)
        if kind == "word" and EOS in text:
            text = " ".join(UNK if word == EOS else word for word in text.split())
        yield " " + text if text and kind in ("bpe", "unigram") else text


def _learned(
    texts: Iterable[str],
    kind: str,
    vocab_size: int | None,
    min_count: int,
    preparation: Preparation,
) -> Tokeniser:
    spaced = preparation.pretokenise != "marks"
    return Tokeniser.from_lines(
        texts, kind, vocab_size=vocab_size, min_count=min_count, spaced=spaced
    )
