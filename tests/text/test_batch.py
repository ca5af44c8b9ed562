"""Batches: streams as Zaremba et al. 2014 cut them, and sentences of like length."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError, ShapeError
from penstock.text import PAD, Corpus, Tokeniser, columns, sentences, window

some_ids = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(
    lambda ids: np.array(ids, np.uint16)
)


@given(some_ids, st.integers(1, 9))
def test_columns_are_the_text_cut_in_equal_streams(ids: np.ndarray, batch_size: int) -> None:
    if 2 * batch_size > len(ids):
        with pytest.raises(ConfigError):
            columns(ids, batch_size)
        return
    streams = columns(ids, batch_size)
    length = len(ids) // batch_size
    assert streams.tolist() == [
        ids[b * length : (b + 1) * length].tolist() for b in range(batch_size)
    ]
    assert np.shares_memory(streams, ids)


def test_columns_of_the_penn_treebank_by_arithmetic() -> None:
    assert columns(np.zeros(929_589, np.uint16), 20).shape == (20, 46_479)


@pytest.mark.parametrize("batch_size", [0, -1, 6])
def test_impossible_batch_sizes(batch_size: int) -> None:
    with pytest.raises(ConfigError, match=r"1 <= batch_size <= tokens / 2 = 5, got batch_size"):
        columns(np.arange(11), batch_size)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_a_window_and_what_follows_each_token(dtype: type) -> None:
    inputs, targets = window(columns(np.arange(11, dtype=dtype), 2), 1, 4)
    assert inputs.tolist() == [[1, 6], [2, 7], [3, 8]]
    assert targets.tolist() == [[2, 7], [3, 8], [4, 9]]
    assert inputs.dtype == targets.dtype == torch.int64
    assert inputs.is_contiguous()
    assert targets.is_contiguous()


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 5)])
def test_windows_beyond_the_text(start: int, stop: int) -> None:
    with pytest.raises(ShapeError, match="0 <= start < stop <= 4"):
        window(columns(np.arange(11), 2), start, stop)


def test_windows_of_a_memory_map_leave_it_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a b c\n" * 9)
    tokeniser = Tokeniser.train(tmp_path / "text")
    corpus = Corpus.build(tmp_path / "text", tokeniser, tmp_path, "text")
    inputs, _ = window(columns(corpus.ids, 2), 0, 4)
    inputs.zero_()
    assert corpus.ids[:4].tolist() == [2, 3, 4, 0]


def split_at_eos(ids: list[int]) -> Counter[tuple[int, ...]]:
    """The sentences of a text, each with its end, found one token at a time."""
    found: list[list[int]] = [[]]
    for id in ids:
        found[-1].append(id)
        if id == 0:
            found.append([])
    return Counter(tuple(sentence) for sentence in found if sentence)


@given(some_ids, st.integers(1, 5), st.integers(0, 3), st.integers(0, 3))
def test_each_sentence_once(ids: np.ndarray, batch_size: int, seed: int, epoch: int) -> None:
    seen: Counter[tuple[int, ...]] = Counter()
    for inputs, targets, lengths in sentences(ids, 0, batch_size, seed=seed, epoch=epoch):
        assert inputs.shape == targets.shape == (lengths.max(), len(lengths))
        assert len(lengths) <= batch_size
        for b, length in enumerate(lengths.tolist()):
            sentence = targets[:length, b].tolist()
            assert inputs[:length, b].tolist() == [0, *sentence[:-1]]
            assert (targets[length:, b] == PAD).all()
            assert (inputs[length:, b] == 0).all()
            seen[tuple(sentence)] += 1
    assert seen == split_at_eos(ids.tolist())


def lengths_and_order(seed: int, epoch: int) -> tuple[list[list[int]], list[int]]:
    random = np.random.default_rng(0)
    parts = [[*range(1, random.integers(2, 30)), 0] for _ in range(200)]
    ids = np.array([id for part in parts for id in part], np.uint8)
    batches = list(sentences(ids, 0, 8, seed=seed, epoch=epoch))
    return [lengths.tolist() for *_, lengths in batches], [len(batch[0]) for batch in batches]


def test_batches_hold_sentences_of_like_length() -> None:
    lengths, sizes = lengths_and_order(1, 0)
    spans = sorted((min(batch), max(batch)) for batch in lengths)
    assert all(high <= low for (_, high), (low, _) in pairwise(spans))
    assert sizes != sorted(sizes)


def test_the_order_is_drawn_from_seed_and_epoch() -> None:
    assert lengths_and_order(1, 2) == lengths_and_order(1, 2)
    assert len({str(lengths_and_order(*draw)) for draw in [(1, 2), (1, 3), (2, 2), (2, 1)]}) == 4


def test_no_batch_of_no_sentence() -> None:
    with pytest.raises(ConfigError, match="batch_size of 1 at least"):
        sentences(np.zeros(3, np.uint8), 0, 0, seed=0, epoch=0)
