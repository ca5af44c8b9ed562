"""Cleaning: which rule takes which pair, in a table."""

from __future__ import annotations

import pytest

from penstock.errors import ConfigError
from penstock.text import Cleaner, Cleaning, Counts, clean

RULES = {
    "empty source": (Cleaning(), [("", "a")], Counts(empty=1)),
    "blank target": (Cleaning(), [("a", " \u2028 ")], Counts(empty=1)),
    "at most": (Cleaning(max_length=2), [("a b", "c d"), ("a", "b c d")], Counts(kept=1, long=1)),
    "ratio": (Cleaning(max_ratio=2), [("a", "b c"), ("a b c", "d")], Counts(kept=1, ratio=1)),
    "the ninth": (Cleaning(), [("a", "b " * 9), ("a", "b " * 10)], Counts(kept=1, ratio=1)),
    "no ratio": (Cleaning(max_ratio=None), [("a", "b " * 99)], Counts(kept=1)),
    "twice": (Cleaning(), [("a", "b"), ("a", "b"), ("a", "c")], Counts(kept=2, duplicate=1)),
    "twice, kept": (Cleaning(duplicates=False), [("a", "b")] * 2, Counts(kept=2)),
    "joined alike": (Cleaning(), [("a b", "c"), ("a", "b c")], Counts(kept=2)),
    "the first rule": (
        Cleaning(max_length=1),
        [("", "a b"), ("a b", "c")],
        Counts(empty=1, long=1),
    ),
}


@pytest.mark.parametrize(("rules", "pairs", "counts"), RULES.values(), ids=RULES.keys())
def test_rules(rules: Cleaning, pairs: list[tuple[str, str]], counts: Counts) -> None:
    cleaner = Cleaner(rules)
    kept = list(clean(pairs, cleaner))
    assert cleaner.counts == counts
    assert len(kept) == counts.kept
    assert counts.total == len(pairs)
    assert [pair for pair in dict.fromkeys(pairs) if pair in kept] == list(dict.fromkeys(kept))


def test_no_rules_keep_all() -> None:
    cleaner = Cleaner(None)
    assert list(clean([("", ""), ("", "")], cleaner)) == [("", "")] * 2
    assert str(cleaner.counts) == "kept 2 of 2 pairs"


def test_mistakes_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Cleaning(max_length=0, max_ratio=0.5)
    assert "max_length" in str(caught.value)
    assert "max_ratio" in str(caught.value)
