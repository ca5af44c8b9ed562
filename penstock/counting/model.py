"""A backoff model: probabilities of words after words, as sorted arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penstock.counting.core import Core
from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array, Vocabulary
from penstock.errors import ConfigError, DataError, ShapeError

__all__ = ["NGramModel", "TokenScore"]

LN10 = float(np.log(10))
IMPROPER = 1e-2
"""How far from 1 probabilities may sum: files with few digits are off by less."""


class TokenScore(NamedTuple):
    """What one token of a sentence costs.

    Attributes:
        word: as it stands in the sentence, ``</s>`` at the end.
        log_p: in nats.
        order: of the longest n-gram found that ends here.
        oov: whether the vocabulary lacks the word, so that ``<unk>`` was scored.
    """

    word: str
    log_p: float
    order: int
    oov: bool


@contextmanager
def _reading() -> Iterator[None]:
    """Arrays of a file that is too large to be checked when it is opened may point anywhere."""
    try:
        yield
    except IndexError as error:
        raise DataError(
            f"NGramModel: the model's file is damaged ({error}). Copy or make it again."
        ) from error


@dataclass(frozen=True)
class NGramModel:
    """An n-gram language model that backs off to shorter n-grams (Katz 1987).

    Attributes:
        vocabulary: its words.
        levels: the n-grams of orders 1, 2, ...; those of order 1 are all words, in the order of
            their ids.

    >>> from penstock.counting import estimate
    >>> v = Vocabulary(["a", "rose", "is"])
    >>> model = estimate(v.encode_text("a rose is a rose\\n"), v, order=3, smoothing="witten-bell")
    >>> [(token.word, token.order) for token in model.tokens("a rose was")]
    [('a', 2), ('rose', 3), ('was', 1), ('</s>', 1)]
    """

    vocabulary: Vocabulary
    levels: Sequence[Level]

    @property
    def order(self) -> int:
        return len(self.levels)

    @property
    def sizes(self) -> list[int]:
        """How many n-grams there are of each order."""
        return [len(level) for level in self.levels]

    @cached_property
    def _core(self) -> Core:
        return Core(self.levels, self.vocabulary)

    # -- texts -----------------------------------------------------------------------------------

    def score(self, line: str) -> float:
        """log10 p of a sentence and its end."""
        try:
            return self._core.score(line)
        except (UnicodeEncodeError, IndexError):  # half of a surrogate pair, or a damaged file
            return float(self._line(line)[0].sum(dtype=np.float64))

    def tokens(self, line: str) -> list[TokenScore]:
        """What each word of a sentence and its end cost."""
        scores, orders = self._line(line)
        words = [*line.split(), self.vocabulary.words[self.vocabulary.eos_id]]
        known = self.vocabulary.ids
        return [
            TokenScore(word, float(score) * LN10, int(order), word not in known)
            for word, score, order in zip(words, scores, orders, strict=True)
        ]

    def log_probs(self, ids: Array, *, threads: int = 1) -> Array:
        """log p of every token of a text in nats, without the interpreter's lock.

        Args:
            ids: token ids, ``</s>`` (0) at the end of every sentence.
            threads: how many share the work.

        Shapes:
            ids (T,) -> (T,) float64

        Raises:
            ShapeError: ids are not the vocabulary's.
        """
        return self.scores(ids, threads=threads)[0].astype(np.float64) * LN10

    @_reading()
    def scores(self, ids: Array, *, threads: int = 1) -> tuple[Array, Array]:
        """log10 p of every token of a text, and the order of the n-gram found: (T,) and (T,)."""
        return self._core.scores(self._checked(ids), threads)

    def _line(self, line: str) -> tuple[Array, Array]:
        """:meth:`scores` of a sentence and its end."""
        return self.scores(np.array([*self.vocabulary.encode(line), self.vocabulary.eos_id]))

    def _checked(self, ids: Array) -> Array:
        ids = np.asarray(ids)
        if ids.ndim != 1 or (len(ids) and not np.issubdtype(ids.dtype, np.integer)):
            raise ShapeError(
                f"NGramModel: expected whole numbers (T,), got {ids.dtype} of shape {ids.shape}."
            )
        if len(ids) and (int(ids.min()) < 0 or int(ids.max()) >= len(self.vocabulary)):
            raise ShapeError(
                f"NGramModel: expected ids from 0 to {len(self.vocabulary) - 1}, got some from "
                f"{int(ids.min())} to {int(ids.max())}."
            )
        return ids

    # -- step by step ----------------------------------------------------------------------------

    def start(self, batch: int = 1, *, sentence: bool = True) -> Array:
        """The state before any word of a sentence, or with nothing known at all: (order - 1, B).

        A state holds, for every n below the order, the place of the n-gram that ends here, or -1.
        """
        state = np.full((self.order - 1, batch), -1, np.int32)
        if sentence:
            state[:1] = self.vocabulary.bos_id
        return state

    def advance(self, ids: Array, state: Array) -> Array:
        """The state after one more word each; after ``</s>``, that before any word.

        Shapes:
            ids (B,), state (order - 1, B) -> (order - 1, B)
        """
        return self.step(ids, state)[1]

    @_reading()
    def step(self, ids: Array, state: Array) -> tuple[Array, Array]:
        """log p of one more word each, in nats, and the state after it as :meth:`advance` has it.

        Shapes:
            ids (B,), state (order - 1, B) -> (B,) float64, (order - 1, B)
        """
        ids = self._checked(ids)
        scores = self.levels[0].log_p[ids].astype(np.float64)
        after = np.full((self.order, len(ids)), -1, np.int32)
        after[0] = ids
        for n, context in enumerate(state):
            at = np.flatnonzero(context >= 0)
            found = self.levels[n + 1].entries(context[at], ids[at])
            backed_off = scores[at] + self.levels[n].backoff[context[at]]
            scores[at] = np.where(found["place"] >= 0, found["log_p"], backed_off)
            after[n + 1, at] = found["place"]
        ends = ids == self.vocabulary.eos_id
        after = after[:-1]
        after[:, ends] = self.start(int(ends.sum()))
        return scores * LN10, after

    @_reading()
    def distribution(self, state: Array) -> Array:
        """log p of every word of the vocabulary in nats: (order - 1, B) -> (B, V) float32."""
        rows = np.repeat(self.levels[0].log_p[None, :-1], state.shape[1], axis=0)
        for b, n in np.argwhere(state.T >= 0):
            level, context = self.levels[n + 1], int(state[n, b])
            rows[b] += self.levels[n].backoff[context]
            at = level.after(context)
            rows[b, level.word[at]] = level.log_p[at]
        rows *= np.float32(LN10)
        return rows

    def next_words(self, context: str = "", k: int = 10) -> list[tuple[str, float]]:
        """The k most probable words after the beginning of a sentence, with log p in nats."""
        if k < 1:
            raise ConfigError(f"NGramModel: expected k of 1 at least, got {k=}.")
        log_p = self.distribution(self._after(context))[0]
        best = np.argsort(-log_p, kind="stable")[:k]
        return [(self.vocabulary.words[id], float(log_p[id])) for id in best]

    def sample(self, context: str = "", *, seed: int = 1) -> Iterator[str]:
        """Words drawn one by one after the beginning of a sentence, up to its end."""
        draw, v = np.random.default_rng(seed), self.vocabulary
        state = self._after(context)
        while True:
            p = np.exp(self.distribution(state)[0].astype(np.float64))
            id = int(draw.choice(len(p), p=p / p.sum()))
            if id == v.eos_id:
                return
            yield v.words[id]
            state = self.advance(np.array([id]), state)

    def _after(self, context: str) -> Array:
        state = self.start()
        for id in self.vocabulary.encode(context):
            state = self.advance(np.array([id]), state)
        return state

    # -- files -----------------------------------------------------------------------------------

    @staticmethod
    def load(path: str | Path) -> NGramModel:
        """The model in a file: ARPA, packed or not, or Penstock's binary format.

        Raises:
            DataError: the file is missing, damaged, or something else.
        """
        from penstock.counting.storage import load

        return load(Path(path))

    def save(self, path: str | Path) -> None:
        """Write ``.arpa``, ``.arpa.gz``, or ``.ngram`` in Penstock's binary format.

        Raises:
            ConfigError: the name ends in something else.
            DataError: the disk is full or the folder cannot be written.
        """
        from penstock.counting.storage import save

        save(self, Path(path))
