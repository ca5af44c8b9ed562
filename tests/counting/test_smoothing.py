"""Every method against its definition written out, against hand calculations, and summed to 1."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.counting import SMOOTHINGS, EstimationWarning, Vocabulary, estimate
from penstock.counting.smoothing import AddDelta, Katz
from penstock.errors import ConfigError
from tests.counting.naive import LETTERS, Naive, sentences

V = Vocabulary("abcde")
SEED = 50
"""With this text every method can estimate its discounts for every order."""
WAYS = [
    (name, style)
    for name, method in SMOOTHINGS.items()
    for style in method.styles
    if name != "stupid-backoff"
]


def text_of(lines):
    return "".join(" ".join(words) + "\n" for words in lines)


def distribution(model, h):
    """p of every word after h, which may begin with <s>."""
    state = model.start(sentence=h[:1] == ("<s>",))
    for word in h:
        if word != "<s>":
            state = model.advance(np.array([model.vocabulary.ids[word]]), state)
    return np.exp(model.distribution(state)[0].astype(float))


def contexts(length):
    for n in range(length + 1):
        for h in itertools.product("abcde", repeat=n):
            yield h
            yield ("<s>", *h)[:length]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("name", "style"), WAYS)
def test_method_is_its_definition(name, style, order):
    lines, letters = sentences(SEED, 60), Vocabulary(LETTERS)
    options = {"add-delta": {"delta": 0.3}, "katz": {"k": 2}}.get(name, {})
    method = SMOOTHINGS[name](**options)
    expected = Naive(lines, order, name, style, **options)
    ids = letters.encode_text(text_of(lines))
    model = estimate(ids, letters, order=order, smoothing=method, style=style)
    for h in sorted(set(contexts(order - 1))):
        want = [expected.p(w, h) for w in letters.words[:-1]]
        np.testing.assert_allclose(distribution(model, h), want, rtol=2e-6, atol=1e-12)


@given(
    st.sampled_from(WAYS),
    st.integers(1, 4),
    st.lists(st.text("abcdex", max_size=6), min_size=1, max_size=8),
    st.lists(st.sampled_from([0, 0, 1, 2]), max_size=3),
)
def test_probabilities_sum_to_one(way, order, lines, prune):
    """After every context, seen or not, whatever the text."""
    thresholds = sorted([0, *prune])[:order]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        model = estimate(
            V.encode_text(text_of(lines)), V,
            order=order, smoothing=way[0], style=way[1], prune=thresholds,
        )  # fmt: skip
    for h in contexts(min(order, 2)):
        assert distribution(model, h).sum() == pytest.approx(1, abs=2e-6)


def by_hand(name, text, order, **options):
    """The model of a text over the words a, b, c."""
    words = Vocabulary("abc")
    return estimate(words.encode_text(text), words, order=order, smoothing=name, **options)


def p(model, h, w):
    return distribution(model, tuple(h.split()))[model.vocabulary.words.index(w)]


def test_lecture_equations_2_and_3():
    """count(w1, w2) / count(w1) and count(w1, w2, w3) / count(w1, w2)."""
    model = by_hand("maximum-likelihood", "a b c\na b b\na c\n", 3)
    assert p(model, "a", "b") == pytest.approx(2 / 3)
    assert p(model, "a b", "c") == pytest.approx(1 / 2)
    assert p(model, "b c", "a") == 0
    assert p(model, "c c", "</s>") == pytest.approx(
        1
    )  # c c never occurs: count(c, </s>) / count(c)
    assert model.score("c a") == -math.inf


def test_add_delta_by_hand():
    """(c(hw) + delta) / (c(h) + delta V) with V = 5; every word alike after an unseen context."""
    model = by_hand(AddDelta(0.5), "a b c\na b b\na c\n", 2)
    assert p(model, "a", "b") == pytest.approx(2.5 / 5.5)
    assert p(model, "a", "a") == pytest.approx(0.5 / 5.5)
    assert p(model, "<s>", "a") == pytest.approx(3.5 / 5.5)
    assert p(model, "<unk>", "a") == pytest.approx(1 / 5)


def test_witten_bell_by_hand():
    """The unigram of b is (3 + 4 / 5) / (11 + 4); a was followed by 2 words, 3 times."""
    model = by_hand("witten-bell", "a b c\na b b\na c\n", 2)
    b = (3 + 4 / 5) / 15
    assert p(model, "", "b") == pytest.approx(b)
    assert p(model, "a", "b") == pytest.approx((2 + 2 * b) / 5)
    assert p(model, "a", "a") == pytest.approx(2 / 5 * (3 + 4 / 5) / 15)


def test_kneser_ney_by_hand():
    """The "San Francisco" effect: c follows b alone, so however often, it counts once.

    Bigrams: <s>a 2, ab 2, bc 2, c</s> 2, <s>b 1, ba 1, a</s> 1.  D = 3 / (3 + 8).
    """
    model = by_hand("kneser-ney", "a b c\na b c\nb a\n", 2)
    kinds = {"a": 2, "b": 2, "c": 1, "</s>": 2}  # words seen before
    d1 = 1 / (1 + 2 * 3)
    unigram = {w: (n - d1) / 7 + 4 * d1 / 7 / 5 for w, n in kinds.items()}
    assert p(model, "", "c") == pytest.approx(unigram["c"])
    d2 = 3 / (3 + 2 * 4)
    assert p(model, "b", "c") == pytest.approx((2 - d2) / 3 + 2 * d2 / 3 * unigram["c"])
    assert p(model, "b", "b") == pytest.approx(2 * d2 / 3 * unigram["b"])


def test_stupid_backoff_by_hand():
    """Brants et al. 2007: relative counts, times 0.4 for every word the context loses."""
    model = by_hand("stupid-backoff", "a b c\na b b\na c\n", 3)
    assert p(model, "a b", "c") == pytest.approx(1 / 2)
    assert p(model, "a b", "</s>") == pytest.approx(0.4 * 1 / 3)
    assert p(model, "a b", "a") == pytest.approx(0.4 * 0.4 * 3 / 11)
    assert p(model, "", "<unk>") == 0


def test_pruned_counts_leave_their_share():
    """Without the bigrams seen once, what they had is given out by the unigrams."""
    lines = "a b\na b\na c\n"
    model = by_hand("absolute-discounting", lines, 2, prune=[0, 1])
    assert model.sizes == [6, 3]  # <s>a, ab and b</s> stay
    assert p(model, "a", "c") == pytest.approx(
        p(model, "a", "a") / p(model, "", "a") * p(model, "", "c")
    )


@pytest.mark.parametrize("name", sorted(SMOOTHINGS))
@pytest.mark.parametrize(
    "text", ["a\n", "\n", "a a a a a a\n", "a\n" * 9, "b a\n\n\nb\n"], ids=repr
)
def test_small_texts_never_fail(name, text):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = estimate(V.encode_text(text), V, order=3, smoothing=name)
    assert {warning.category for warning in told} <= {EstimationWarning}
    assert all(name in str(warning.message) for warning in told)
    if name != "stupid-backoff":
        assert distribution(model, ("<s>",)).sum() == pytest.approx(1, abs=2e-6)


def test_a_fallback_is_named():
    with pytest.warns(EstimationWarning) as told:
        by_hand("modified-kneser-ney", "a b\n", 2)
    assert str(told[0].message) == (
        "modified-kneser-ney: order 1: no n-gram occurs 2 or 3 or 4 times; "
        "discounts of 0.5, 1.0 and 1.5 instead."
    )


def test_katz_takes_the_largest_count_that_works():
    """A k beyond all counts is as quick as the one that is taken for it, and the same model."""
    ids = np.append(2 + np.minimum(np.random.default_rng(1).zipf(1.6, 4000), 900), 0)
    words = Vocabulary(map(str, range(901)))
    with pytest.warns(EstimationWarning, match=r"Good-Turing fails for k=10{12}; counts") as told:
        found = estimate(ids, words, order=1, smoothing=Katz(10**12))
    k = int(str(told[0].message).split("counts up to ")[1].split()[0])
    assert k > 1
    same = estimate(ids, words, order=1, smoothing=Katz(k))
    np.testing.assert_array_equal(found.levels[0].log_p, same.levels[0].log_p)
    with pytest.warns(EstimationWarning, match=f"counts up to {k} are discounted"):
        estimate(ids, words, order=1, smoothing=Katz(k + 1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smoothing": "kneser-nay"}, "unknown smoothing 'kneser-nay'. Did you mean 'kneser-ney'?"),
        ({"smoothing": "katz", "style": "interpolated"}, "expected style 'backed-off' for katz"),
        ({"style": "interpolate"}, "Did you mean 'interpolated'?"),
        ({"prune": [1]}, "expected prune as 0 and then numbers that do not fall"),
        ({"prune": [0, 2, 1]}, "expected prune as 0"),
        ({"prune": [0] * 9}, "expected prune as 0"),
        ({"order": 0}, "expected order from 1 to 16, got order=0"),
        ({"order": 40}, "expected order from 1 to 16, got order=40"),
        ({"memory": 0}, "expected memory of 1 byte at least"),
    ],
    ids=str,
)
def test_options_that_cannot_be(options, said):
    with pytest.raises(ConfigError) as error:
        estimate(np.array([2, 3, 0]), V, **options)
    assert said in str(error.value)


@pytest.mark.parametrize("make", [lambda: AddDelta(0), lambda: AddDelta(math.inf), lambda: Katz(0)])
def test_parameters_that_cannot_be(make):
    with pytest.raises(ConfigError, match="expected"):
        make()
