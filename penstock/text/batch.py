"""Batches of a text's ids: side-by-side streams, or sentences padded to one length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from penstock.errors import ConfigError, ShapeError
from penstock.text.tokenise import Ids

__all__ = ["PAD", "Sentences", "columns", "count_sentences", "sentences", "window"]

PAD = -1
"""Target where a sentence has ended: no token, not to be counted."""

Streams = np.ndarray[tuple[int, int], np.dtype[Any]]
Sentences = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
_CHUNK = 1 << 24


def columns(ids: Ids, batch_size: int) -> Streams:
    """Cut a text into ``batch_size`` streams, each going on where its last window ended.

    As Zaremba et al. 2014 lay out the Penn Treebank: stream ``b`` is
    ``ids[b * n : (b + 1) * n]`` with ``n = len(ids) // batch_size``; the rest is left out.

    Shapes:
        ids (tokens,) -> (B, n), a view: nothing is copied.

    Raises:
        ConfigError: when a stream would have fewer than two tokens.

    >>> columns(np.arange(11), 2)
    array([[0, 1, 2, 3, 4],
           [5, 6, 7, 8, 9]])
    """
    most = len(ids) // 2
    if not 1 <= batch_size <= most:
        raise ConfigError(
            f"columns: expected 1 <= batch_size <= tokens / 2 = {most}, got {batch_size=} "
            f"for a text of {len(ids)} tokens. Use smaller batches or a longer text."
        )
    length = len(ids) // batch_size
    return ids[: length * batch_size].reshape(batch_size, length)


def window(streams: Streams, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens ``start`` to ``stop`` of every stream, and the token after each.

    Shapes:
        streams (B, n) -> inputs (T, B), targets (T, B) with T = stop - start, int64

    Raises:
        ShapeError: unless ``0 <= start < stop <= n - 1``.
    """
    last = streams.shape[1] - 1
    if not 0 <= start < stop <= last:
        raise ShapeError(
            f"window: expected 0 <= start < stop <= {last}, got {start=}, {stop=}. "
            "The last token of a stream has no next one."
        )
    steps = torch.from_numpy(streams[:, start : stop + 1].T.astype(np.int64, order="C"))
    return steps[:-1], steps[1:]


def sentences(
    ids: Ids, eos_id: int, batch_size: int, *, seed: int, epoch: int
) -> Iterator[Sentences]:
    """Every sentence once, in batches of like length, in an order drawn from (seed, epoch).

    A sentence is read from the ``<eos>`` before it and predicted up to its own, so that each token
    of the text is a target once.

    Args:
        batch_size: sentences in a batch; the last ones may make a smaller batch.

    Shapes:
        inputs (T, B), targets (T, B) padded with -1, lengths (B,), all int64

    Raises:
        ConfigError: unless ``batch_size`` is 1 at least.
    """
    if batch_size < 1:
        raise ConfigError(f"sentences: expected batch_size of 1 at least, got {batch_size=}.")
    stops = _stops(ids, eos_id)
    starts = np.concatenate([[0], stops[:-1]])
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(stops))
    order = order[np.argsort((stops - starts)[order], kind="stable")]
    firsts = random.permutation(np.arange(0, len(order), batch_size))
    batches = (order[first : first + batch_size] for first in firsts)
    return (_padded(ids, eos_id, starts[batch], stops[batch]) for batch in batches)


def count_sentences(ids: Ids, eos_id: int) -> int:
    """How many sentences :func:`sentences` finds in a text.

    >>> count_sentences(np.array([5, 6, 0, 7, 0, 8]), eos_id=0)
    3
    """
    return len(_stops(ids, eos_id))


def _stops(ids: Ids, eos_id: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where the sentences end: after each ``<eos>``, and where the text does."""
    parts = [
        np.flatnonzero(ids[start : start + _CHUNK] == eos_id) + start + 1
        for start in range(0, len(ids), _CHUNK)
    ]
    return np.union1d(np.concatenate(parts), [len(ids)])


def _padded(
    ids: Ids,
    eos_id: int,
    starts: np.ndarray[Any, np.dtype[np.int64]],
    stops: np.ndarray[Any, np.dtype[np.int64]],
) -> Sentences:
    lengths = torch.from_numpy(stops - starts)
    shape = int(lengths.max()), len(lengths)
    inputs, targets = torch.full(shape, eos_id), torch.full(shape, PAD)
    for b, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        sentence = torch.from_numpy(ids[start:stop].astype(np.int64))
        inputs[1 : len(sentence), b] = sentence[:-1]
        targets[: len(sentence), b] = sentence
    return inputs, targets, lengths
