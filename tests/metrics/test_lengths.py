"""Scores by the length of the source."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DataError, ShapeError
from penstock.metrics.lengths import Kept, by_length, kept_by_longest, length_bins
from penstock.metrics.translation import Metric

REFS = ["a b c d e"] * 30 + ["f g h i j k l m n o"] * 40 + ["p q r s t u v w x y z"] * 30
LENGTHS = [3] * 30 + [8] * 40 + [20] * 30


def test_each_range_is_scored_as_a_text_of_its_own():
    hyps = [ref.replace("j k", "x") if ref.startswith("f") else ref for ref in REFS]
    hyps[75] = "nothing at all"
    found = by_length(Metric("bleu", REFS), hyps, LENGTHS, bins=[(1, 5), (6, 10), (11, 30)])
    assert [(one.low, one.high, one.lines) for one in found] == [
        (1, 5, 30),
        (6, 10, 40),
        (11, 30, 30),
    ]
    alone = Metric("bleu", REFS[30:70]).score(hyps[30:70]).value
    assert [one.score for one in found[:2]] == pytest.approx([100, alone])
    assert found[1].interval == pytest.approx((alone, alone))
    assert found[2].interval[0] < found[2].score < 100
    assert found[1].middle == 8


def test_a_range_without_sentences_is_left_out():
    found = by_length(Metric("ter", REFS), REFS, LENGTHS, bins=[(1, 3), (4, 7), (8, 20)])
    assert [one.lines for one in found] == [30, 70]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=300))
def test_ranges_hold_every_length_once(lengths):
    ranges = length_bins(lengths)
    assert ranges[0][0] == min(lengths)
    assert ranges[-1][1] == max(lengths)
    assert all(low <= high for low, high in ranges)
    assert all(b == a + 1 for (_, a), (b, _) in pairwise(ranges))
    if len(ranges) > 1:
        counts = [sum(low <= n <= high for n in lengths) for low, high in ranges]
        assert min(counts) >= 25


def test_ranges_are_of_round_widths():
    lengths = np.repeat(np.arange(1, 41), 10)
    assert length_bins(lengths) == [(low, low + 4) for low in range(1, 41, 5)]


def test_mistakes():
    with pytest.raises(ShapeError, match="expected 100 lengths, got 2"):
        by_length(Metric("bleu", REFS), REFS, [1, 2])
    with pytest.raises(DataError, match="expected 100 translations"):
        by_length(Metric("bleu", REFS), REFS[:3], LENGTHS)


def test_what_the_longest_keep_of_the_score_of_the_shortest():
    refs = ["the cat sat on the mat"] * 30 + ["a dog ran over the hill and far away"] * 30
    worse = refs[:30] + ["a dog ran over the house and far away"] * 30
    metric = Metric("bleu", refs)
    found = kept_by_longest(metric, {"same": refs, "worse": worse}, [6] * 30 + [9] * 30)
    assert found["same"] == Kept(1.0, (1.0, 1.0), None)
    share = metric.value(metric.statistics(worse)[30:].sum(0)) / 100
    assert found["worse"].share == pytest.approx(share)
    assert found["worse"].interval == pytest.approx((share, share))
    assert found["worse"].p_value == 0.0
