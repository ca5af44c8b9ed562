"""Batches of pairs: every pair once, within the limits, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.text import (
    PairCorpus,
    Preparation,
    SentenceTokeniser,
    pad,
    pair_batch,
    token_batches,
)

PAIRS = [("unrelated lately", "late"), ("late", "related, unrelated"), ("", "x")] * 4
TOKENISERS = SentenceTokeniser.train_joint(
    PAIRS, vocab_size=300, preparations=(Preparation("none"), Preparation("none"))
)
CORPUS = PairCorpus.from_pairs(PAIRS, TOKENISERS)
some_lengths = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60
).map(np.array)


@given(some_lengths, st.integers(1, 90), st.none() | st.integers(1, 9), st.integers(0, 3))
def test_every_row_once_and_within_the_limits(
    lengths: np.ndarray, max_tokens: int, max_sentences: int | None, seed: int
) -> None:
    batches = token_batches(
        lengths, max_tokens=max_tokens, max_sentences=max_sentences, seed=seed, epoch=0
    )
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows in batches:
        padded = len(rows) * lengths[rows].max(0).sum()
        assert padded <= max_tokens or len(rows) == 1
        assert len(rows) <= (max_sentences or len(rows))


def test_similar_lengths_are_together() -> None:
    lengths = np.random.default_rng(1).integers(2, 40, (5000, 2))
    lengths[:, 0] = lengths[:, 1] + np.random.default_rng(2).integers(0, 5, 5000)
    batches = token_batches(lengths, max_tokens=2000, seed=1, epoch=0)
    padded = sum(len(rows) * lengths[rows].max(0).sum() for rows in batches)
    assert lengths.sum() > 0.95 * padded


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.random.default_rng(1).integers(2, 9, 500)
    orders = {
        (seed, epoch): [
            rows.tolist()
            for rows in token_batches(lengths, max_sentences=8, seed=seed, epoch=epoch)
        ]
        for seed in (1, 2)
        for epoch in (0, 1)
        for _ in range(2)
    }
    assert len({str(order) for order in orders.values()}) == 4
    again = token_batches(lengths, max_sentences=8, seed=1, epoch=1)
    assert [rows.tolist() for rows in again] == orders[1, 1]
    assert {len(rows) for rows in again} == {8, 4}


@pytest.mark.parametrize("limits", [{}, {"max_tokens": 0}, {"max_tokens": 9, "max_sentences": 0}])
def test_limits_that_cannot_be(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="max_tokens or max_sentences of 1 at least"):
        token_batches(np.ones((3, 2), np.int64), **limits, seed=0, epoch=0)


def test_padded_by_hand() -> None:
    ids, lengths = pad([[5, 6, 7], np.array([8], np.uint8), []], fill=-1)
    assert ids.tolist() == [[5, 8, -1], [6, -1, -1], [7, -1, -1]]
    assert lengths.tolist() == [3, 1, 0]
    assert ids.dtype == lengths.dtype == torch.int64
    assert pad([], fill=0)[0].shape == (0, 0)


def test_a_batch_by_hand() -> None:
    tokenisers = tuple(
        SentenceTokeniser.train([line], "word", preparation=Preparation("none"))
        for line in ("a b", "c")
    )
    assert len(tokenisers) == 2
    corpus = PairCorpus.from_pairs([("a b", "c"), ("", "c c")], tokenisers)
    batch = pair_batch(corpus, np.array([1, 0]))
    assert batch.src.tolist() == [[0, 2], [0, 3], [0, 0]]
    assert batch.src_lengths.tolist() == [1, 3]
    assert batch.tgt_in.tolist() == [[0, 0], [2, 2], [2, 0]]
    assert batch.tgt_out.tolist() == [[2, 2], [2, 0], [0, -1]]
    assert batch.tgt_lengths.tolist() == [3, 2]
    assert batch.rows.tolist() == [1, 0]
    assert {part.dtype for part in batch} == {torch.int64}


def texts(batch: torch.Tensor, side: int) -> list[str]:
    return [TOKENISERS[side].decode(column.tolist()) for column in batch.T]


def test_dropout_changes_pieces_and_not_words() -> None:
    rows = np.arange(len(PAIRS))
    plain = pair_batch(CORPUS, rows)
    assert torch.equal(pair_batch(CORPUS, rows, seed=5, epoch=9).src, plain.src)
    drawn = pair_batch(CORPUS, rows, dropout=(0.3, 0.0), seed=1, epoch=1)
    assert not torch.equal(drawn.src_lengths, plain.src_lengths)
    assert torch.equal(drawn.tgt_out, plain.tgt_out)
    assert texts(drawn.src, 0) == [src for src, _ in PAIRS]
    both = pair_batch(CORPUS, rows, dropout=(0.3, 0.3), seed=1, epoch=1)
    assert torch.equal(both.src, drawn.src)
    assert texts(both.tgt_out, 1) == [tgt for _, tgt in PAIRS]


def test_dropout_of_a_pair_does_not_depend_on_its_batch() -> None:
    def drawn(row: int, rows: list[int], epoch: int) -> list[int]:
        batch = pair_batch(CORPUS, np.array(rows), dropout=(0.5, 0.5), seed=1, epoch=epoch)
        column = rows.index(row)
        return batch.src[: batch.src_lengths[column], column].tolist()

    alone = drawn(3, [3], 1)
    assert drawn(3, [0, 1, 3, 2], 1) == alone
    assert {tuple(drawn(3, [3], epoch)) for epoch in range(9)} > {tuple(alone)}
    assert drawn(0, [0], 1) != alone
