"""The compiled look-ups of ``native/backoff.cpp``, where the installation has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from penstock.counting.levels import Level
from penstock.counting.vocabulary import Array, Vocabulary

try:
    from penstock import _backoff
except ImportError:  # a source tree that was never built: numpy does it
    _backoff = None  # type: ignore[assignment]

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

    @staticmethod
    def there() -> bool:
        """Whether it was compiled."""
        return _backoff is not None

    def scores(self, ids: Array, threads: int) -> tuple[Array, Array]:
        """As :func:`penstock.counting.query.text_scores`."""
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
