"""Where a text is hard for a language model: by how often a token was trained on, by its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from penstock.metrics.perplexity import Perplexity
from penstock.models.mode import evaluating

__all__ = ["UNKNOWN", "by_frequency", "by_position", "places", "read_losses"]

UNKNOWN = "unknown"
_LOGITS = 1 << 24


def places(ids: np.ndarray, eos_id: int) -> np.ndarray:
    """Position of every token in its sentence, from 1; the ``<eos>`` is the last of its own.

    >>> places(np.array([5, 6, 0, 7, 0]), eos_id=0).tolist()
    [1, 2, 3, 1, 2]
    """
    index = np.arange(len(ids))
    starts = np.zeros(len(ids), np.int64)
    starts[1:] = np.where(ids[:-1] == eos_id, index[1:], 0)
    return index - np.maximum.accumulate(starts) + 1


@torch.no_grad()
def read_losses(
    model: Any, ids: np.ndarray, eos_id: int, *, streams: int = 20, anew: int | None = None
) -> np.ndarray:
    """-log p of every token, the text being read in parallel streams of equal length.

    A stream begins with the first state, so that its first tokens lack their context; the gain is
    a reading some ``streams`` times faster.

    Args:
        model: a language model; left as it was.
        ids: (N,), the text, read from an ``<eos>`` on.
        eos_id: id of ``<eos>``.
        streams: how many, at least 1.
        anew: id of the token before which the state starts anew (None: it never does).

    Returns:
        Losses in nats, in the order of the text, without the rest of the last N % streams tokens.
    """
    streams = min(streams, len(ids))
    length = len(ids) // streams
    read = np.concatenate([[eos_id], ids[: streams * length]]).astype(np.int64)
    device = model.embedding.weight.device
    inputs, targets = (
        torch.from_numpy(part.reshape(streams, length)).T.to(device)
        for part in (read[:-1], read[1:])
    )
    losses, state = [], None
    chunk = max(1, min(256, _LOGITS // (model.vocab_size * streams)))
    with evaluating(model):
        for start in range(0, length, chunk):
            piece = slice(start, start + chunk)
            reset = None if anew is None else inputs[piece] == anew
            hidden, state = model(inputs[piece], state, reset=reset)
            losses.append(model.losses(hidden, targets[piece]).double().cpu())
    return torch.cat(losses).T.flatten().numpy()


def by_frequency(
    ids: np.ndarray, nats: np.ndarray, counts: np.ndarray, unk_id: int | None
) -> dict[str, Perplexity]:
    """Perplexity of the tokens by how often they occur in the training text.

    Args:
        ids: (N,), tokens.
        nats: (N,), their losses.
        counts: (V,), occurrences in the training text.
        unk_id: the unknown word, which has a bucket of its own.

    Returns:
        Label (unknown, 0, 1–9, 10–99, ...) to perplexity, without empty buckets.
    """
    powers = np.searchsorted(10 ** np.arange(19), counts[ids], side="right") - 1
    is_unknown = np.zeros(len(ids), bool) if unk_id is None else ids == unk_id
    buckets = {UNKNOWN: is_unknown}
    for power in np.unique(powers):
        buckets[_range(int(power))] = (powers == power) & ~is_unknown
    return {label: _perplexity(nats[inside]) for label, inside in buckets.items() if inside.any()}


def by_position(
    nats: np.ndarray, positions: np.ndarray, *, last: int = 30, width: int = 1
) -> dict[int, Perplexity]:
    """Perplexity of the tokens by their position in the sentence.

    Args:
        nats: (N,), losses.
        positions: (N,), from 1.
        last: number of buckets; the last one holds all positions from there on.
        width: positions in a bucket.

    Returns:
        First position of each bucket to perplexity, without empty buckets.
    """
    buckets = np.minimum((positions - 1) // width, last - 1)
    return {
        int(bucket) * width + 1: _perplexity(nats[buckets == bucket])
        for bucket in np.unique(buckets)
    }


def _perplexity(nats: np.ndarray) -> Perplexity:
    return Perplexity(float(nats.sum()), len(nats))


def _range(power: int) -> str:
    """Counts with ``power`` + 1 digits.

    >>> [_range(power) for power in (-1, 0, 2, 3, 6)]
    ['0', '1–9', '100–999', '1k–10k', '1M–10M']
    """
    if power < 0:
        return "0"
    low = 10**power
    return f"{low}–{10 * low - 1}" if power < 3 else f"{_short(low)}–{_short(10 * low)}"


def _short(number: int) -> str:
    return f"{number // 10**6}M" if number >= 10**6 else f"{number // 1000}k"
