"""A file of n-grams as a scorer of text, whatever its tokens are.

An n-gram model's words have no white space in them.  A model of other tokens than words spells
them as words, and its tokeniser lies beside it: ``model.arpa.tokenizer.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.counting.model import LN10
from penstock.errors import DataError
from penstock.progress import Progress, silent

if TYPE_CHECKING:
    from penstock.counting import NGramModel, Vocabulary
    from penstock.scoring.losses import Adaption
    from penstock.search import Selectable
    from penstock.text import Tokeniser

__all__ = ["Counted", "open_counted", "spelt", "tokeniser_file", "words_tokeniser"]

Array = np.ndarray[Any, np.dtype[Any]]
PLURALS = {"word": "words", "character": "characters", "byte": "bytes"}


@dataclass(frozen=True)
class Counted:
    """An n-gram model in a file.

    Attributes:
        places: (V,), the model's id of each of the tokeniser's tokens.
        threads: that share the scoring of a text.
    """

    path: Path
    model: NGramModel
    tokeniser: Tokeniser = field(repr=False)
    places: Array = field(repr=False)
    threads: int = 1

    def symbols(self) -> Selectable:
        """It, for search."""
        from penstock.counting.symbols import Symbols

        return Symbols(self.model, self.places)

    def scores(self, ids: Array) -> tuple[Array, Array]:
        """log p of every token of a text, lines apart, and the order found: (T,) -> (T,), (T,)."""
        log10_p, orders = self.model.scores(self.places[ids], threads=self.threads)
        return log10_p.astype(np.float64) * LN10, orders

    def of_lines(self, rows: Sequence[Sequence[int]]) -> list[tuple[list[float], list[int]]]:
        """log p of every token of every line, and the order found."""
        log_ps, orders = self.scores(np.array([symbol for row in rows for symbol in row]))
        stops = np.cumsum([len(row) for row in rows])[:-1]
        parts = zip(np.split(log_ps, stops), np.split(orders, stops), strict=True)
        return [(own.tolist(), found.tolist()) for own, found in parts]

    def log_probs(self, ids: Array, adaption: Adaption, progress: Progress) -> Array:
        """The same with what it may do with the text just read."""
        from penstock.counting.mixture import with_cache

        found, _ = self.scores(ids)
        progress(len(ids), len(ids))
        cache = adaption.cache
        return with_cache(found, ids, size=cache.size, weight=cache.weight) if cache else found

    def distributions(self, ids: Array, steps: int, *, alone: bool) -> Iterator[Array]:
        """log p of every token of the vocabulary at every place of a text, in pieces (N, V).

        Every line is read alone, whatever ``alone`` says.
        """
        state = self.model.start()
        for start in range(0, len(ids), steps):
            states = []
            for id in self.places[ids[start : start + steps]]:
                states.append(state)
                state = self.model.advance(np.array([id]), state)
            yield self.model.distribution(np.concatenate(states, -1)).take(self.places, 1)

    def context(self, adaption: Adaption) -> str:
        """What it knows when it predicts."""
        cache, tokens = adaption.cache, PLURALS.get(self.tokeniser.kind, "tokens")
        place = "sentence" if self.tokeniser.kind == "word" else "line"
        words = f", cache of {tokens} (size={cache.size}, weight={cache.weight})" if cache else ""
        return f"{self.model.order - 1} {tokens} of the {place}{words}"

    def mass(self, ids: Array) -> float:
        """The sum of probabilities that is furthest from 1, after a few beginnings of the text."""
        state, worst = self.model.start(), 1.0
        for id in self.places[ids[:32]]:
            total = float(np.exp(self.model.distribution(state).astype(float)).sum())
            worst = max(worst, total, key=lambda mass: abs(mass - 1))
            state = self.model.advance(np.array([id]), state)
        return worst


def open_counted(path: Path, progress: Progress = silent, *, threads: int = 1) -> Counted:
    """The n-gram model in a file, with the tokeniser beside it if there is one.

    Args:
        progress: told of the reading.
        threads: that share the scoring of a text.

    Raises:
        DataError: a file is missing, damaged or something else.
    """
    from penstock.counting.storage import load
    from penstock.text import Tokeniser

    model, beside = load(path, progress=progress), tokeniser_file(path)
    if not beside.is_file():
        tokeniser = words_tokeniser(model.vocabulary, path)
        return Counted(path, model, tokeniser, np.arange(tokeniser.vocab_size), threads)
    tokeniser = Tokeniser.load(beside)
    words, ids = spelt(tokeniser), model.vocabulary.ids
    if lacking := [word for word in words if word not in ids]:
        raise DataError(
            f"{beside}: expected the tokens of {path.name}, which has no {lacking[0]!r}. "
            "Put back the file that was made with this model."
        )
    return Counted(path, model, tokeniser, np.array([ids[word] for word in words]), threads)


def tokeniser_file(path: Path) -> Path:
    """Where the tokeniser of an n-gram model lies, if its tokens are no words."""
    return path.with_name(f"{path.name}.tokenizer.json")


def spelt(tokeniser: Tokeniser) -> list[str]:
    """The words that a tokeniser's tokens are in an n-gram model, in the order of their ids."""
    from penstock.counting.vocabulary import EOS, UNK, WHITE

    names = {" ": "<space>"} | {mark: f"<U+{ord(mark):04X}>" for mark in WHITE - {" "}}
    special = {tokeniser.eos_id: EOS, tokeniser.unk_id: UNK}
    return [
        special.get(id) or "".join(names.get(character, character) for character in piece)
        for id, piece in enumerate(tokeniser.pieces)
    ]


def words_tokeniser(vocabulary: Vocabulary, path: Path) -> Tokeniser:
    """The tokeniser with a vocabulary's words and ids."""
    from tokenizers import models

    from penstock.text import EOS, UNK, Words

    if vocabulary.tokens.count(EOS) > 1:
        raise DataError(f"{path}: expected no word {EOS}: it means the end of a line here.")
    raw = (word.encode("utf-8", "surrogateescape") for word in vocabulary.tokens)
    ids = {word.decode("utf-8", "backslashreplace"): id for id, word in enumerate(raw)}
    if len(ids) < len(vocabulary.tokens):
        raise DataError(
            f"{path}: expected words that differ when bytes which are no UTF-8 are written as "
            "\\xNN, got two that are the same then. Take one out."
        )
    library = Words.blank()
    library.model = models.WordLevel(ids, unk_token=UNK)
    return Words(library)
