"""Counts against counting with a dictionary, in memory and on the disk."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.counting import Vocabulary
from penstock.counting.counts import MAX_ORDER, count_ngrams
from penstock.counting.spill import Scratch
from penstock.errors import ConfigError, DataError
from tests.counting import naive

V = Vocabulary("abcde")


def text_of(sentences):
    return "".join(" ".join(words) + "\n" for words in sentences)


def as_dictionaries(levels):
    """n-gram to count for every order, found by following prefixes."""
    found, before = [], [()]
    for level in levels:
        grams = [(*before[p], V.words[w]) for p, w in zip(level.prefix, level.word, strict=True)]
        found.append(dict(zip(grams, level.count.tolist(), strict=True)))
        for gram, suffix in zip(grams, level.suffix, strict=True):
            assert before[suffix] == gram[1:]
        before = grams
    return found


@given(
    st.lists(st.lists(st.sampled_from("abcdex"), max_size=6), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_counts_are_those_of_a_dictionary(sentences, order):
    with count_ngrams(V.encode_text(text_of(sentences)), V, order) as levels:
        words, *longer = as_dictionaries(levels)
        known = [["<unk>" if word == "x" else word for word in line] for line in sentences]
        expected = naive.ngrams(known, order)
        assert words == dict.fromkeys([(w,) for w in V.words], 0) | expected[1] | {
            ("<s>",): len(sentences)
        }
        assert longer == [dict(counter) for counter in expected[2:]]


@pytest.mark.parametrize("memory", [1, 1 << 15, 1 << 17])
def test_on_the_disk_as_in_memory(memory):
    ids = V.encode_text(text_of(naive.sentences(1, 3000)))
    with count_ngrams(ids, V, 4) as whole, count_ngrams(ids, V, 4, memory=memory) as parts:
        assert isinstance(parts[3].count, np.memmap) or memory > 1 << 16
        for one, other in zip(whole, parts, strict=True):
            for name in ("prefix", "word", "suffix", "count", "start"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_many_blocks_open_few_files():
    resource = pytest.importorskip("resource")
    ids = V.encode_text(text_of(naive.sentences(1, 3000)))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(os.listdir("/dev/fd")) + 24
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, limits[1]))
    try:
        with count_ngrams(ids, V, 3, memory=1) as levels:
            assert len(ids) / (1 << 8) > 24
            assert levels[2].count.sum() > 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_full_disk_is_told_before_anything_is_stored(monkeypatch, tmp_path):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ids = V.encode_text(text_of(naive.sentences(1, 3000)))
    with (
        pytest.raises(DataError, match="the disk of the temporary files is full"),
        count_ngrams(ids, V, 3, memory=1),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_where_no_blocks_can_be_reserved_zeros_are_written(monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with Scratch(on_disk=True) as scratch:
        made = scratch.empty((1 << 17) + 3, np.int64)
        assert made.filename.stat().st_blocks * 512 >= made.nbytes
        assert not made.any()


def test_a_sentence_without_its_end_counts():
    with count_ngrams(V.encode_text("a b\nc"), V, 2) as levels:
        assert as_dictionaries(levels)[1] == {
            ("<s>", "a"): 1, ("a", "b"): 1, ("b", "</s>"): 1, ("<s>", "c"): 1,
        }  # fmt: skip


def test_a_sentence_of_a_million_words_is_one():
    ids = np.append(np.full(1_000_000, 2), 0)
    with count_ngrams(ids, V, 3) as levels:
        assert levels[2].count.tolist() == [1, 999_998, 1]


@pytest.mark.parametrize("order", [0, -1, MAX_ORDER + 1, 40])
def test_an_order_that_cannot_be(order):
    with (
        pytest.raises(ConfigError, match=f"expected order from 1 to 16, got order={order}"),
        count_ngrams(np.array([2, 0]), V, order),
    ):
        pass


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.array([], int), "the text is empty"),
        (np.array([2, 99]), "expected ids from 0 to 6, got some from 2 to 99"),
        (np.array([-1, 2]), "expected ids from 0 to 6, got some from -1 to 2"),
    ],
)
def test_a_text_that_cannot_be(ids, said):
    with pytest.raises(DataError, match=said), count_ngrams(ids, V, 2):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "a"], "got 'a' twice"),
        (["<s>"], "got '<s>' which the model keeps for itself"),
        (["a b"], "expected words without white space, got 'a b'"),
        ([""], "expected words without white space, got ''"),
    ],
)
def test_a_vocabulary_that_cannot_be(words, said):
    with pytest.raises(DataError, match=said):
        Vocabulary(words)
