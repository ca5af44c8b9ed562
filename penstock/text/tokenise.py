"""Tokenisers: text to the ids of its tokens, and back.

Every kind is kept in the ``tokenizers`` library's own file, so that any program which reads such
files gets the same ids; tokens taken over from a translator (``prepared.py``) have beside it what
is done to a line first.  The kinds themselves are in ``words.py`` and ``pieces.py``.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tokenizers

from penstock.errors import ConfigError, DataError, unknown
from penstock.files import open_atomic
from penstock.progress import Progress
from penstock.text.preparation import Preparation
from penstock.text.read import Paths, read_blocks

__all__ = ["EOS", "UNK", "Ids", "Tokeniser", "nothing_in_it"]

EOS, UNK = "<eos>", "<unk>"
FILE = "tokenizer.json"
Ids = np.ndarray[tuple[int], np.dtype[Any]]


class Tokeniser(ABC):
    """Text to ids and back, for one kind of token.

    The end of a line is a token, ``<eos>``, as in the Penn Treebank of Mikolov et al. 2010; what
    the vocabulary lacks is ``<unk>``.

    Attributes:
        kind: "word", "character", "bpe", "unigram" or "byte".
        library: the tokeniser of the ``tokenizers`` library with the same vocabulary.
        tokens: text of each token, in the order of the ids.
        eos_id: the end of a line.
        unk_id: any token the vocabulary lacks; None where every text can be spelt.
    """

    kinds: ClassVar[dict[str, type[Tokeniser]]] = {}
    spaced: ClassVar[dict[str, type[Tokeniser]]] = {}
    """Kinds that have a second form, whose pieces end at spaces and nowhere else."""
    kind: ClassVar[str]
    special: ClassVar[tuple[str, ...]] = (EOS, UNK)
    """Piece that ends a line and, where a text may hold the unknown, the one that stands for it."""
    smallest: ClassVar[int]
    """Least vocabulary with which anything can be said."""

    def __init_subclass__(cls, *, kind: str = "", spaced: bool = False) -> None:
        if kind:
            cls.kind = kind
            Tokeniser.kinds[kind] = cls
        if spaced:
            Tokeniser.spaced[cls.kind] = cls

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        self.library = library
        self.ids: dict[str, int] = library.get_vocab()
        self.pieces: list[str] = sorted(self.ids, key=self.ids.__getitem__)
        self.dtype = np.min_scalar_type(len(self.pieces) - 1)
        self.eos_id, *unknown = (self.ids[token] for token in self.special)
        self.unk_id: int | None = unknown[0] if unknown else None

    # -- making one ------------------------------------------------------------------------------

    @staticmethod
    def train(
        paths: Paths,
        kind: str = "word",
        *,
        vocab_size: int | None = None,
        min_count: int = 1,
        progress: Progress | None = None,
    ) -> Tokeniser:
        """The tokeniser of ``kind`` for the text of the files, which is streamed.

        Args:
            paths: one text file or several.
            kind: "word" (between white space), "character", "bpe" (byte pairs: Sennrich et al.
                2016), "unigram" (Kudo 2018) or "byte".
            vocab_size: most tokens to have, ``<eos>`` and ``<unk>`` counted; by default all words
                or characters, and 8192 pieces.
            min_count: least occurrences of a word or character, or of a pair to be merged.
            progress: called after each block with the bytes read and the bytes there are.

        Raises:
            ConfigError: for an unknown kind, or a size that kind cannot have.
            DataError: for a file that cannot be read, or a text without a token.
        """
        return _learned(read_blocks(paths, progress=progress), kind, vocab_size, min_count)

    @staticmethod
    def from_lines(
        lines: Iterable[str],
        kind: str = "word",
        *,
        vocab_size: int | None = None,
        min_count: int = 1,
        spaced: bool = False,
    ) -> Tokeniser:
        """As :meth:`train`, for lines at hand.

        Args:
            spaced: let pieces of words end at spaces only, for a text whose words and marks are
                apart already; otherwise letters, digits and marks are kept apart too.

        >>> Tokeniser.from_lines(["a rose is", "a rose"]).tokens
        ['<eos>', '<unk>', 'a', 'rose', 'is']
        """
        blocks = (line + "\n" for line in lines)
        return _learned(blocks, kind, vocab_size, min_count, spaced=spaced)

    @staticmethod
    def load(path: str | Path) -> Tokeniser:
        """The tokeniser kept in a ``tokenizer.json``, or in the folder that holds one."""
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        try:
            text = file.read_text(encoding="utf-8")
            preparation = (state := json.loads(text)).pop("preparation", None)
            text = text if preparation is None else json.dumps(state)
            library = tokenizers.Tokenizer.from_str(text)
        except FileNotFoundError as error:
            raise DataError(
                f"{file}: expected a tokeniser's file, but it is missing. "
                "Put back the files that were made with the model."
            ) from error
        except Exception as error:  # the library raises nothing narrower
            raise DataError(f"{file}: expected a tokeniser's file ({error}).") from error
        found = _of_library(library, file)
        return found if preparation is None else _prepared(found, preparation, file)

    def save(self, path: str | Path) -> None:
        """Keep it as ``tokenizer.json`` in the folder ``path``, or in the file ``path``."""
        file = Path(path) if Path(path).suffix == ".json" else Path(path) / FILE
        with open_atomic(file) as stream:
            stream.write(self.as_json().encode())

    def as_json(self) -> str:
        """It as a file keeps it."""
        text: str = self.library.to_str(pretty=True)
        return text

    # -- using it --------------------------------------------------------------------------------

    @abstractmethod
    def encode_text(self, text: str) -> Ids:
        """Ids of a text, each ``\\n`` in it as ``<eos>``."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """The text that ids spell, with ``\\n`` for ``<eos>``."""

    def encode(self, line: str) -> list[int]:
        """Ids of a line, without its end."""
        ids: list[int] = self.encode_text(line).tolist()
        return ids

    def encode_lines(self, lines: Iterable[str]) -> Ids:
        """Ids of lines, ``<eos>`` after each."""
        return self.encode_text("".join(line + "\n" for line in lines))

    @property
    def tokens(self) -> list[str]:
        return self.pieces

    @property
    def vocab_size(self) -> int:
        return len(self.pieces)

    @cached_property
    def fingerprint(self) -> str:
        """Digest that two tokenisers share when they give every text the same ids."""
        return hashlib.sha256(self.library.to_str().encode()).hexdigest()

    # -- what a kind has to say ------------------------------------------------------------------

    @classmethod
    def blank(cls) -> tokenizers.Tokenizer:
        """The library's tokeniser of this kind before it has learnt a vocabulary."""
        raise NotImplementedError

    @classmethod
    def learn(
        cls, blocks: Iterable[str], vocab_size: int | None, min_count: int
    ) -> tokenizers.Tokenizer:
        """The library's tokeniser of this kind for the text in ``blocks``."""
        raise NotImplementedError


def _learned(
    blocks: Iterable[str],
    kind: str,
    vocab_size: int | None,
    min_count: int,
    *,
    spaced: bool = False,
) -> Tokeniser:
    if kind not in Tokeniser.kinds:
        raise unknown("Tokeniser", "kind", kind, Tokeniser.kinds)
    forms = Tokeniser.kinds | Tokeniser.spaced if spaced else Tokeniser.kinds
    chosen = forms[kind]
    if vocab_size is not None and vocab_size < chosen.smallest:
        raise ConfigError(
            f"Tokeniser: expected vocab_size of {chosen.smallest} at least for kind {kind!r}, "
            f"got vocab_size={vocab_size}."
        )
    if min_count < 1:
        raise ConfigError(f"Tokeniser: expected min_count of 1 at least, got {min_count=}.")
    return chosen(chosen.learn(blocks, vocab_size, min_count))


def _of_library(library: tokenizers.Tokenizer, file: Path) -> Tokeniser:
    """The tokeniser of the kind that the library's is."""
    for kind in (*Tokeniser.kinds.values(), *Tokeniser.spaced.values()):
        if _shape(kind.blank()) != _shape(library):
            continue
        try:
            return kind(library)
        except KeyError as error:
            raise DataError(
                f"{file}: expected a {kind.kind} tokeniser made by Penstock, got one that cannot "
                f"place {error}. Train one on your text."
            ) from error
    known = ", ".join(sorted(Tokeniser.kinds))
    raise DataError(f"{file}: expected a tokeniser of one of the kinds {known}, got another.")


def _prepared(tokeniser: Tokeniser, preparation: Any, file: Path) -> Tokeniser:
    """The tokeniser for raw lines, each made ready first as a translator does."""
    from penstock.text.prepared import Prepared
    from penstock.text.sentence import SentenceTokeniser

    try:
        return Prepared(SentenceTokeniser(tokeniser, Preparation(**preparation)))
    except (TypeError, ConfigError) as error:
        raise DataError(
            f"{file}: expected what is done to a line first, got {preparation!r}."
        ) from error


def _shape(library: tokenizers.Tokenizer) -> tuple[type, bytes]:
    """What tells the kinds apart: the model, and how the text is cut before it."""
    cutter = library.pre_tokenizer
    return type(library.model), cutter.__getstate__() if cutter else b""


def nothing_in_it() -> DataError:
    """The error for a text without a token to learn."""
    return DataError("Tokeniser: the text is empty: not one token in it. Give a text with words.")
