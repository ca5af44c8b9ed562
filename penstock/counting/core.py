"""The compiled look-ups of ``native/backoff.cpp``: what tokens cost under a backoff model.

p(w | h) = p_stored(w | h)                    where the n-gram hw is stored,
           backoff(h) p(w | shorter h)        otherwise (backoff(h) = 1 where h is not stored)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from penstock import _backoff
from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array, Vocabulary

__all__ = ["Core"]

PIECE = 1 << 14
"""Tokens that are worth a thread."""


class Core:
    """Scores texts and lines under the levels of a model, without the interpreter's lock."""

    def __init__(self, levels: Sequence[Level], vocabulary: Vocabulary) -> None:
        self.bos_id, self.before = vocabulary.bos_id, len(levels) - 1
        self._kept: list[Array] = []  # what the core reads by address
        rows = [self._row(level, order) for order, level in enumerate(levels, 1)]
        words = [word.encode("utf-8", "surrogateescape") for word in vocabulary.words[:-1]]
        marks = vocabulary.eos_id, vocabulary.unk_id, vocabulary.bos_id
        self._core = _backoff.Backoff(rows, words, *marks)
        self.score: Callable[[str], float] = self._core.score
        """log10 p of a line and its end."""

    def scores(self, ids: Array, threads: int) -> tuple[Array, Array]:
        """log10 p of every token of a text, and the order of the n-gram found for it.

        Args:
            ids: (T,) tokens; ``</s>`` ends a sentence, and each is read from ``<s>``.
            threads: how many share the work.

        Shapes:
            ids (T,) -> log10 p (T,) float32, order (T,) uint8
        """
        ids = np.ascontiguousarray(ids, np.int32)
        scores, orders = np.empty(len(ids), np.float32), np.empty(len(ids), np.uint8)
        parts = max(1, min(threads, len(ids) // PIECE))
        cuts = np.linspace(0, len(ids), parts + 1).astype(int)

        def work(part: int) -> None:
            start, stop = cuts[part], cuts[part + 1]
            # What a token costs depends on so many before it, which the part reads again.
            first = max(0, start - self.before)
            found = np.empty(stop - first, np.float32), np.empty(stop - first, np.uint8)
            self._core.scores(
                ids[first:].ctypes.data, stop - first, *(x.ctypes.data for x in found)
            )
            scores[start:stop], orders[start:stop] = (x[start - first :] for x in found)

        if parts == 1:
            work(0)
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(work, range(parts)))
        return scores, orders

    def _row(self, level: Level, order: int) -> tuple[int, int, int, int, int]:
        """A level as the core takes it: three addresses, and the sizes of its table and itself."""
        log_p, backoff = (np.ascontiguousarray(x) for x in (level.log_p, level.backoff))
        entries, start = (level.table.entries, level.table.start) if order > 1 else (log_p, 1)
        self._kept += [log_p, backoff, entries]
        return entries.ctypes.data, start, len(level), log_p.ctypes.data, backoff.ctypes.data
