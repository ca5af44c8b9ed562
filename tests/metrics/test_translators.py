"""Systems side by side, and the oracle of an n-best list."""

from __future__ import annotations

import pytest

from penstock.errors import ConfigError, DataError
from penstock.metrics.oracle import oracle
from penstock.metrics.translation import Metric
from penstock.metrics.translators import Translated, compare_translated

REFS = [f"the {noun} ran to the {place} at night" for noun in "abcdefgh" for place in "uvwxyz"]
GOOD = [ref.replace("at night", "at dusk") if n % 4 else ref for n, ref in enumerate(REFS)]
BAD = [ref.replace("ran to", "went into") for ref in REFS]
BOTH = [Translated("bad", BAD), Translated("good", GOOD)]
FAST = {"resamples": 100, "trials": 200}


def test_rows_stay_in_order_and_the_best_is_marked():
    systems = [
        Translated("bad", BAD, beam=1, parameters=10, seconds=2.0),
        Translated("good", GOOD, beam=12),
        Translated("same as good", list(GOOD)),
        Translated("oracle", REFS, is_bound=True),
    ]
    table = compare_translated(systems, REFS, **FAST)
    rows = table["rows"]
    assert [row["system"] for row in rows] == ["bad", "good", "same as good", "oracle"]
    assert table["best"] == 1
    assert [row["p_value"] for row in rows] == [pytest.approx(1 / 201), None, 1.0, None]
    assert [row["beam"] for row in rows] == [1, 12, None, None]
    assert rows[0]["sentences_per_second"] == 24
    assert rows[1]["sentences_per_second"] is rows[1]["parameters"] is None
    for row, system in zip(rows, systems, strict=True):
        expected = {k: Metric(k, REFS).score(system.hyps).value for k in ("bleu", "chrf", "ter")}
        assert row["scores"] == pytest.approx(expected)
        assert row["interval"][0] <= row["scores"]["bleu"] <= row["interval"][1] + 1e-9


def test_the_best_in_ter_has_least():
    table = compare_translated(
        [Translated("bad", BAD), Translated("good", GOOD)], REFS, kind="ter", **FAST
    )
    assert table["best"] == 1
    assert set(table["signatures"]) == {"ter", "chrf"}


def test_signatures_say_which_bleu():
    table = compare_translated(
        [Translated("good", GOOD)], REFS, kind="multi-bleu", others=(), **FAST
    )
    assert table["best"] == 0
    assert "tokenised beforehand" in table["signatures"]["multi-bleu"]
    assert "100 texts drawn from the 48 lines" in table["chance"]
    assert "200 trials" in table["chance"]


def test_several_references():
    table = compare_translated([Translated("good", GOOD)], REFS, GOOD, **FAST)
    assert table["rows"][0]["scores"]["bleu"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("systems", "options", "error", "message"),
    [
        ([], {}, DataError, "at least one system"),
        (
            [Translated("a", GOOD), Translated("b", GOOD[:5])],
            {},
            DataError,
            "expected 48 .* got 5 of b",
        ),
        ([Translated("a", GOOD)], {"kind": "blue"}, ConfigError, "Did you mean 'bleu'"),
    ],
)
def test_mistakes(systems, options, error, message):
    with pytest.raises(error, match=message):
        compare_translated(systems, REFS, **options)


def test_oracle_takes_the_best_of_each_list():
    nbest = [[bad, good, bad] for bad, good in zip(BAD, GOOD, strict=True)]
    assert oracle(nbest, REFS) == oracle(nbest, REFS, kind="ter") == GOOD
    assert oracle([hyps[::2] for hyps in nbest], REFS) == BAD


def test_oracle_is_at_least_as_good_as_the_first_and_no_better_than_all():
    pairs = zip(BAD, GOOD, strict=True)
    nbest = [[bad, good] if n % 2 else [good, bad] for n, (bad, good) in enumerate(pairs)]
    metric = Metric("bleu", REFS)
    first = metric.score([hyps[0] for hyps in nbest]).value
    assert first < metric.score(oracle(nbest, REFS)).value <= metric.score(GOOD).value


def test_oracle_with_several_references_takes_either():
    assert oracle([["x y", "c d"], ["a b", "z"]], ["a b", "a b"], ["c d", "c d"]) == ["c d", "a b"]


def test_among_equals_the_first_and_of_nothing_nothing():
    assert oracle([["same thing", "same  thing"], []], ["same thing", "b"]) == ["same thing", ""]
    assert oracle([[], []], ["a", "b"]) == ["", ""]


def test_as_many_lists_as_references():
    with pytest.raises(DataError, match="expected 2 references, one for each n-best list, got 1"):
        oracle([["a"], ["b"]], ["a"])
