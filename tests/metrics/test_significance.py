"""Approximate randomisation against all coins, against sacreBLEU and against chance itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from penstock.errors import ConfigError, ShapeError
from penstock.metrics.significance import p_value
from penstock.metrics.translation import Metric

WORDS = 40


def make_text(lines, seed):
    random = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in random.integers(WORDS, size=12)) for _ in range(lines)]


def with_errors(text, share, seed):
    random = np.random.default_rng(seed)
    return [" ".join("x" if random.random() < share else w for w in s.split()) for s in text]


def tables(metric, *systems):
    return [metric.statistics(hyps) for hyps in systems]


def test_it_is_the_share_of_all_coins():
    """Of 6 lines there are 64 ways to swap."""
    refs = make_text(6, 0)
    metric = Metric("ter", refs)
    one, other = tables(metric, with_errors(refs, 0.1, 1), with_errors(refs, 0.35, 2))
    true = abs(metric.value(one.sum(0)) - metric.value(other.sum(0)))
    beyond = 0
    for coins in product([0, 1], repeat=6):
        swap = np.array(coins)[:, None] == 1
        mixed = metric.value(np.where(swap, other, one).sum(0))
        beyond += abs(mixed - metric.value(np.where(swap, one, other).sum(0))) >= true - 1e-9
    assert p_value(metric, one, other) == pytest.approx(beyond / 64, abs=0.015)


@pytest.mark.parametrize("kind", ["bleu", "chrf", "ter"])
def test_it_is_that_of_sacrebleu(kind):
    """Where no trial equals the true difference, the two tests are one."""
    from sacrebleu.significance import PairedTest

    refs = make_text(200, 0)
    systems = [with_errors(refs, 0.2, 1), with_errors(refs, 0.21, 2)]
    metric = Metric(kind, refs)
    theirs = PairedTest(
        [("one", systems[0]), ("other", systems[1])],
        {"metric": metric._of_text},
        None,
        test_type="ar",
        n_samples=2000,
    )()[1]
    (_, result) = theirs[next(name for name in theirs if name != "System")]
    found = p_value(metric, *tables(metric, *systems), trials=2000)
    assert found == pytest.approx(result.p_value, abs=0.05)


def test_no_difference_and_one_line_of_difference_are_no_sign():
    """sacreBLEU's tests of such systems say p = 0.0001."""
    refs = make_text(50, 0)
    one = with_errors(refs, 0.2, 1)
    metric = Metric("bleu", refs)
    table, same, near = tables(metric, one, list(one), [refs[0], *one[1:]])
    assert p_value(metric, table, same) == 1
    assert p_value(metric, table, near) == 1


def test_a_clear_difference_is_found():
    refs = make_text(100, 0)
    metric = Metric("bleu", refs)
    found = p_value(metric, *tables(metric, with_errors(refs, 0.1, 1), with_errors(refs, 0.3, 2)))
    assert found == pytest.approx(1 / 10_001)


def test_chance_is_significant_as_often_as_the_p_value_says():
    """Systems that differ by chance only: p < 0.2 in about one case of five."""
    refs = make_text(30, 0)
    metric = Metric("ter", refs)
    often = 0
    for case in range(100):
        both = tables(
            metric, with_errors(refs, 0.2, 2 * case), with_errors(refs, 0.2, 2 * case + 1)
        )
        often += p_value(metric, *both, trials=100) < 0.2
    assert 8 <= often <= 34


def test_the_same_seed_gives_the_same_number_and_sides_do_not_matter():
    refs = make_text(40, 0)
    metric = Metric("chrf", refs)
    both = tables(metric, with_errors(refs, 0.2, 1), with_errors(refs, 0.21, 2))
    found = [p_value(metric, *both, trials=300, seed=seed) for seed in (1, 1, 2, 3)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert p_value(metric, *both[::-1], trials=300) == found[0]


def test_mistakes():
    metric = Metric("bleu", ["a", "b"])
    table = metric.statistics(["a", "b"])
    with pytest.raises(ShapeError, match="expected the same lines"):
        p_value(metric, table, table[:1])
    with pytest.raises(ConfigError, match="expected trials >= 100, got trials=5"):
        p_value(metric, table, table, trials=5)
