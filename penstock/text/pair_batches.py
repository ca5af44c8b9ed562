"""Batches of sentence pairs: similar lengths together, padded, in an order drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch

from penstock.errors import ConfigError
from penstock.text.batch import PAD
from penstock.text.pair_corpus import PairCorpus, Side
from penstock.text.tokenise import Ids

__all__ = ["PairBatch", "pad", "pair_batch", "token_batches"]

Numbers = np.ndarray[Any, np.dtype[np.int64]]


class PairBatch(NamedTuple):
    """Sentence pairs side by side, all int64.

    Attributes:
        src: (S, B), ``<eos>`` after each sentence and in the room behind it.
        src_lengths: (B,), ``<eos>`` counted.
        tgt_in: (T, B), what the decoder reads: ``<eos>``, then the sentence.
        tgt_out: (T, B), what it shall say: the sentence, then ``<eos>``; -1 behind.
        tgt_lengths: (B,), ``<eos>`` counted.
        rows: (B,), the numbers of the pairs in their corpus.
    """

    src: torch.Tensor
    src_lengths: torch.Tensor
    tgt_in: torch.Tensor
    tgt_out: torch.Tensor
    tgt_lengths: torch.Tensor
    rows: torch.Tensor


def token_batches(
    lengths: Numbers,
    *,
    max_tokens: int | None = None,
    max_sentences: int | None = None,
    seed: int,
    epoch: int,
) -> list[Numbers]:
    """Rows of every batch of an epoch: similar lengths together, the batches in random order.

    Rows are sorted by their last length (the target's), then the one before, equals at random, and
    taken in turn while the batch holds.  A pair that is too long by itself is a batch of its own.

    Args:
        lengths: (N,) or (N, sides), tokens of each sentence.
        max_tokens: most tokens in a batch, padding and both sides counted:
            sentences x (longest source + longest target).
        max_sentences: most sentences in a batch.
        seed, epoch: the order is a function of these two and nothing else.

    Raises:
        ConfigError: without a limit, or for one below 1.

    >>> batches = token_batches(np.array([3, 1, 3, 1, 9]), max_tokens=6, seed=0, epoch=1)
    >>> sorted(sorted(rows.tolist()) for rows in batches)
    [[0, 2], [1, 3], [4]]
    """
    limits = {"max_tokens": max_tokens, "max_sentences": max_sentences}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given or min(given.values()) < 1:
        raise ConfigError(
            "token_batches: expected max_tokens or max_sentences of 1 at least, "
            f"got {max_tokens=}, {max_sentences=}."
        )
    lengths = lengths.reshape(len(lengths), -1)
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    order = order[np.lexsort(lengths[order].T)]
    cuts = _cuts(lengths[order], max_tokens, max_sentences)
    batches = np.split(order, cuts)
    return [batches[n] for n in random.permutation(len(batches))]


def _cuts(lengths: Numbers, max_tokens: int | None, max_sentences: int | None) -> list[int]:
    """Where a new batch begins."""
    cuts, first, longest = [], 0, [0] * lengths.shape[1]
    for row, sides in enumerate(lengths.tolist()):
        longer = [max(pair) for pair in zip(longest, sides, strict=True)]
        number = row + 1 - first
        tokens = number * sum(longer)
        full = number > (max_sentences or number) or tokens > (max_tokens or tokens)
        if full and row > first:
            cuts.append(row)
            first, longer = row, sides
        longest = longer
    return cuts


def pad(sentences: Sequence[Sequence[int] | Ids], fill: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences side by side, the shorter ones filled up.

    Shapes:
        ids (T, B), lengths (B,), int64

    >>> pad([[5, 6], [7]], fill=0)[0]
    tensor([[5, 7],
            [6, 0]])
    """
    lengths = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.int64)
    ids = np.full((len(sentences), max(map(len, sentences), default=0)), fill, np.int64)
    for b, sentence in enumerate(sentences):
        ids[b, : len(sentence)] = sentence
    return torch.from_numpy(ids).T.contiguous(), lengths


def pair_batch(
    corpus: PairCorpus,
    rows: Numbers,
    *,
    dropout: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    epoch: int = 0,
) -> PairBatch:
    """The pairs of ``rows`` as tensors.

    Args:
        dropout: BPE-dropout of source and target.
        seed, epoch: the pieces of a pair are drawn from these two and its row, whatever batch it
            is in.
    """
    src, tgt = (
        [_ids(side, int(row), p, [seed, epoch, number]) for row in rows]
        for number, (side, p) in enumerate(zip((corpus.src, corpus.tgt), dropout, strict=True))
    )
    eos_id = corpus.tgt.tokeniser.eos_id
    src_ids, src_lengths = pad(src, corpus.src.tokeniser.eos_id)
    tgt_out, tgt_lengths = pad(tgt, PAD)
    tgt_in, _ = pad([[corpus.tgt.tokeniser.bos_id, *ids[:-1]] for ids in tgt], eos_id)
    numbers = torch.from_numpy(np.asarray(rows, np.int64))
    return PairBatch(src_ids, src_lengths, tgt_in, tgt_out, tgt_lengths, numbers)


def _ids(side: Side, row: int, dropout: float, seeds: list[int]) -> list[int]:
    """Ids of one sentence, ``<eos>`` at its end, drawn anew where there is dropout."""
    ids: list[int] = side[row].tolist()
    if not dropout:
        return ids
    # NumPy's generators take several times as long to make, and as long for one number.
    generator = Random(":".join(map(str, [*seeds, row])))
    return [*side.tokeniser.resample(ids[:-1], dropout, generator), ids[-1]]
