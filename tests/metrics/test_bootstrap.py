"""The paired bootstrap against the normal approximation and against chance itself."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import ConfigError, ShapeError
from penstock.metrics.bootstrap import Bootstrap

RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.integers(5, 40, 2000)
NATS = TOKENS * 4.6 + RANDOM.normal(0, 3.0, 2000) * np.sqrt(TOKENS)


def test_interval_is_that_of_the_normal_approximation():
    """The logarithm of a perplexity is a ratio of sums, with a known standard error."""
    ratio = NATS.sum() / TOKENS.sum()
    error = np.sqrt(((NATS - ratio * TOKENS) ** 2).sum()) / TOKENS.sum()
    low, high = Bootstrap(NATS[None], TOKENS[None], resamples=4000).interval(0)
    assert np.log(low) == pytest.approx(ratio - 1.96 * error, abs=0.15 * error)
    assert np.log(high) == pytest.approx(ratio + 1.96 * error, abs=0.15 * error)


def test_a_wider_level_is_a_wider_interval():
    narrow, wide = (Bootstrap(NATS[None], TOKENS[None], level=v).interval(0) for v in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_pairing_finds_a_small_difference_that_intervals_hide():
    worse = NATS + 0.02 * TOKENS
    found = Bootstrap(np.stack([NATS, worse]), np.stack([TOKENS, TOKENS]))
    assert found.interval(0)[1] > found.interval(1)[0]
    assert found.p_value(0, 1) == found.p_value(1, 0) == pytest.approx(1 / 1001)


def test_chance_is_significant_as_often_as_the_p_value_says():
    """Models that differ by chance only: p < 0.1 in about one case of ten."""
    often = 0
    for case in range(200):
        draw = np.random.default_rng(case)
        both = draw.normal(50, 5, (2, 300))
        often += Bootstrap(both, np.full((2, 300), 10), resamples=200).p_value(0, 1) < 0.1
    assert 8 <= often <= 34


def test_the_same_model_does_not_differ_from_itself():
    found = Bootstrap(np.stack([NATS, NATS]), np.stack([TOKENS, TOKENS]))
    assert found.p_value(0, 1) == 1


def test_the_same_seed_gives_the_same_numbers():
    intervals = [Bootstrap(NATS[None], TOKENS[None], seed=s).interval(0) for s in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_a_difference_is_of_the_texts_where_tokens_differ():
    """Half as many tokens of the same text at the same cost: another perplexity, no difference."""
    found = Bootstrap(np.stack([NATS, NATS]), np.stack([TOKENS, TOKENS * 2]))
    assert found.perplexities[0].min() > found.perplexities[1].max()
    assert found.p_value(0, 1) == 1


def test_what_has_no_probability_under_both_is_a_tie():
    """One line of 2000 that neither model can predict, in about 63 texts of 100."""
    nats = np.stack([NATS, NATS, NATS + 0.5 * TOKENS])
    nats[:, 7] = np.inf
    found = Bootstrap(nats, np.stack([TOKENS] * 3))
    assert found.p_value(0, 1) == 1
    assert 0.6 < found.p_value(0, 2) <= 1
    low, high = found.interval(0)
    assert np.isfinite(low)
    assert high == np.inf
    assert np.isinf(found.perplexities).mean() == pytest.approx(1 - np.exp(-1), abs=0.05)
    nats[:, 7:1000] = np.inf
    assert Bootstrap(nats, np.stack([TOKENS] * 3)).interval(0) == (np.inf, np.inf)


def test_what_one_model_cannot_predict_is_a_difference():
    worse = NATS.copy()
    worse[:100] = np.inf
    found = Bootstrap(np.stack([NATS, worse]), np.stack([TOKENS, TOKENS]))
    assert found.p_value(0, 1) == pytest.approx(1 / 1001)


@pytest.mark.parametrize(
    ("nats", "tokens", "options", "error"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), {}, ShapeError),
        (np.ones((2, 0)), np.ones((2, 0)), {}, ShapeError),
        (np.ones((2, 3)), np.ones((2, 3)), {"resamples": 10}, ConfigError),
        (np.ones((2, 3)), np.ones((2, 3)), {"resamples": 10**21}, ConfigError),
        (np.ones((2, 3)), np.ones((2, 3)), {"level": 1.0}, ConfigError),
    ],
    ids=str,
)
def test_impossible_calls(nats, tokens, options, error):
    with pytest.raises(error, match=r"[Bb]ootstrap: expected"):
        Bootstrap(nats, tokens, **options)
