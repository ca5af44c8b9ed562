"""BLEU, chrF and TER against published values, hand calculations and Moses' multi-bleu."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penstock.errors import ConfigError, DataError
from penstock.metrics.translation import KINDS, Metric, looks_tokenised
from tests.data import data

HYPS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFS = [
    ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
    ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."],
]
CZECH = "Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo zemře."
CZECH_REF = "Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a kdo zemře."
# 5 + 4 words; matches of 1 ... 4 words: 5 + 3 of 9, 4 + 1 of 7, 3 + 0 of 5, 2 + 0 of 3.
TOKENISED, TOKENISED_REFS = ["a b C d e", "f g x h"], ["A b c d e", "f g h i j k"]
BY_HAND = math.exp(1 - 11 / 9) * (8 / 9 * 5 / 7 * 3 / 5 * 2 / 3) ** (1 / 4)

PUBLISHED = [
    # sacreBLEU's README and test/test_bleu.py
    ("bleu", HYPS, REFS, 48.530827),
    ("bleu", ["", "", ""], REFS, 0.0),
    ("bleu", ["this is a fest"], [["this is a test"]], 100 * (3 / 4 * 2 / 3 / 2 / 2) ** (1 / 4)),
    ("bleu", ["this is a test"], [["this is a test"]], 100.0),
    ("multi-bleu", TOKENISED, [TOKENISED_REFS], 100 * BY_HAND),
    ("multi-bleu", ["a b c"], [["a b c"]], 0.0),  # no 4 words match: not smoothed
    ("multi-bleu", ["don't ( go )."], [["Don't ( go )."]], 100.0),
    # sacreBLEU's test/test_chrf.py; without eps_smoothing chrF2 of a perfect match is 100
    ("chrf", ["a b c"], [["abc"]], 100.0),
    ("chrf", [""], [["c"]], 0.0),
    ("chrf", ["aa"], [["ab"]], 25.0),  # precision and recall 1/2 of letters, 0 of pairs
    # sacreBLEU's test/test_ter.py; a shift is one edit
    ("ter", ["aaaa bbbb cccc dddd"], [["aaaa bbbb cccc dddd"]], 0.0),
    ("ter", ["dddd eeee ffff"], [["aaaa bbbb cccc"]], 100.0),
    ("ter", [""], [["a"]], 100.0),
    ("ter", ["d e f g h a b c"], [["a b c d e f g h"]], 12.5),
    ("ter", ["a b x"], [["a b c d"]], 50.0),
]


@pytest.mark.parametrize(("kind", "hyps", "refs", "expected"), PUBLISHED)
def test_published_values(kind, hyps, refs, expected):
    assert Metric(kind, *refs).score(hyps).value == pytest.approx(expected, abs=1e-5)


def test_words_of_chrf_plus_plus_count():
    """chrF++ adds words and pairs of words: 2 of 3 words match, and 1 of 2 pairs."""
    plain, words = (
        Metric(kind, ["ab cd ef"]).score(["ab cd ex"]).value for kind in ("chrf", "chrf++")
    )
    orders = [5 / 6, 4 / 5, 3 / 4, 2 / 3, 1 / 2, 0]
    assert plain == pytest.approx(100 * sum(orders) / 6)
    assert words == pytest.approx(100 * (sum(orders) + 2 / 3 + 1 / 2) / 8)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("bleu", ["nrefs:2", "case:mixed", "tok:13a", "smooth:exp", "version:"]),
        ("bleu-lc", ["case:lc", "tok:13a"]),
        ("multi-bleu", ["case:lc", "tok:none", "smooth:none", "tokenised beforehand"]),
        ("chrf", ["nc:6", "nw:0"]),
        ("chrf++", ["nc:6", "nw:2"]),
        ("ter", ["tok:tercom", "case:lc"]),
    ],
)
def test_signatures(kind, parts):
    score = Metric(kind, *REFS).score(HYPS)
    assert all(part in score.signature for part in parts)
    assert str(score).startswith(f"{score.name}|nrefs:2")


def test_details_of_bleu():
    """9 words for 11."""
    details = Metric("multi-bleu", TOKENISED_REFS).score(TOKENISED).details
    assert details == "88.9/71.4/60.0/66.7 (BP = 0.801 ratio = 0.818 hyp_len = 9 ref_len = 11)"


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_add_up_to_the_score(kind):
    metric = Metric(kind, *REFS)
    rows = metric.statistics(HYPS)
    assert len(rows) == 3
    assert metric.value(rows.sum(0)) == metric.score(HYPS).value
    part = Metric(kind, *(lines[1:] for lines in REFS)).score(HYPS[1:])
    assert metric.value(rows[1:].sum(0)) == pytest.approx(part.value)


@pytest.mark.parametrize("kind", KINDS)
def test_sentences(kind):
    """Each is what it is alone; of a perfect one that is too short for four words, all."""
    metric = Metric(kind, [*REFS[0], "a dog"])
    found = metric.sentences([*HYPS, "a dog"])
    assert found[0] == found[3] == (0 if kind == "ter" else pytest.approx(100))
    assert Metric(kind, REFS[0][1:2]).sentences(HYPS[1:2]) == [found[1]]


def test_sentence_bleu_by_hand():
    """Of 4 words 3 match, of 3 pairs 1; what does not match counts a half, then a quarter."""
    (found,) = Metric("multi-bleu", ["a b x c"]).sentences(["a b y c"])
    expected = (3 / 4 * 1 / 3 * 1 / (2 * 2) * 1 / (4 * 1)) ** (1 / 4)
    assert found == pytest.approx(100 * expected)


def test_sentence_chrf_is_the_published_one():
    """test/test_chrf.py gives 39.14, the mean of the F of each order; F of the means is as much."""
    assert Metric("chrf", [CZECH_REF]).sentences([CZECH])[0] == pytest.approx(39.14, abs=1e-3)


def test_an_empty_reference_expects_nothing():
    metric = Metric("ter", ["", "a b"])
    assert metric.score(["", "a b"]).value == 0
    assert metric.score(["x", "a b"]).value == 50


def test_odd_characters_are_words():
    hyps = ["a\u2028b c d", "\x00 \x0b é", "日本 語 🜁 x"]
    for kind in KINDS:
        expected = 0 if kind == "ter" else 100
        assert Metric(kind, hyps).score(hyps).value == pytest.approx(expected)


def test_tokenisers_of_other_scripts():
    """A Chinese sentence is one word to 13a and eight to zh."""
    hyps, refs = ["我喜欢吃苹果。"], ["我爱吃苹果。"]
    assert Metric("bleu", refs).score(hyps).value == 0
    assert Metric("bleu", refs, tokenize="zh").score(hyps).value > 40


def test_interval_is_that_of_sacrebleu():
    random = np.random.default_rng(0)
    refs = [" ".join(map(str, random.integers(0, 50, 12))) for _ in range(300)]
    hyps = [" ".join(w for w in ref.split() if random.random() < 0.9) for ref in refs]
    score = Metric("bleu", refs).score(hyps, resamples=1000)
    from sacrebleu.metrics import BLEU

    theirs = BLEU().corpus_score(hyps, [refs], n_bootstrap=1000)
    low, high = score.interval
    assert low < score.value < high
    assert (high - low) / 2 == pytest.approx(theirs._ci, rel=0.1)
    assert f"[{low:.2f}, {high:.2f}]" in str(score)


def test_text_that_is_tokenised_is_noticed():
    assert looks_tokenised(["a dog .", "two dogs ."])
    assert not looks_tokenised(["A dog.", "Two dogs .", "?"])
    assert not looks_tokenised([])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Metric("blue", ["a"]), "unknown metric 'blue'. Did you mean 'bleu'"),
        (lambda: Metric("bleu", ["a"], tokenize="13b"), "unknown tokeniser '13b'. Did you"),
        (lambda: Metric("ter", ["a"], tokenize="zh"), "only with bleu and bleu-lc, got kind='ter'"),
        (lambda: Metric("bleu"), "expected references, one a sentence, got none"),
        (lambda: Metric("bleu", []), "expected references"),
        (lambda: Metric("bleu", "a text"), "expected references"),
        (lambda: Metric("bleu", ["", " "]), "with a word in them"),
        (lambda: Metric("bleu", ["a"], ["a", "b"]), "as many references of each kind, got 1, 2"),
        (lambda: Metric("bleu", ["a"] * 1000).score(["a"] * 999), "expected 1,000 .* got 999"),
        (lambda: Metric("chrf", ["a", "b"]).sentences("ab"), "expected 2 translations"),
        (lambda: Metric("ter", ["a"]).score(["a"], resamples=5), "expected resamples >= 100"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises((ConfigError, DataError), match=message):
        call()


@pytest.mark.parametrize(("language", "expected"), [("en", 62.90), ("de", 63.17), ("fr", 62.91)])
def test_multi_bleu_is_that_of_the_script(language, expected):
    """Moses' multi-bleu.perl -lc of Multi30k's test set, every seventh word left out."""
    name = f"multi30k/tok/test_2016_flickr.lc.norm.tok.{language}"
    refs = data(name).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    hyps = [
        " ".join(
            word.upper() if (line + place) % 11 == 0 and word.isascii() else word
            for place, word in enumerate(ref.split())
            if (line + place) % 7 != 3
        )
        for line, ref in enumerate(refs)
    ]
    assert Metric("multi-bleu", refs).score(hyps).value == pytest.approx(expected, abs=0.005)
