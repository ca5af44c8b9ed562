"""Entropy pruning against removing each n-gram and measuring what is lost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from penstock.counting import NGramModel, Vocabulary, estimate
from penstock.counting.entropy import entropy_pruned
from penstock.counting.levels import Level
from penstock.errors import ConfigError

V = Vocabulary("abc")
TEXT = "a b c a\nb a\na b b\nc\na b c\na a c b\n"


@pytest.fixture(scope="module")
def bigrams() -> NGramModel:
    return estimate(V.encode_text(TEXT), V, order=2, smoothing="witten-bell")


def without(model: NGramModel, index: int) -> NGramModel:
    """The model that has lost one bigram, its context's weight made right by summing."""
    words, pairs = model.levels
    kept = np.arange(len(pairs)) != index
    context = int(pairs.prefix[index])
    unigram = 10.0 ** words.log_p.astype(float)
    own = kept & (pairs.prefix == context)
    backoff = words.backoff.copy()
    backoff[context] = np.log10(
        (1 - (10.0 ** pairs.log_p[own].astype(float)).sum()) / (1 - unigram[pairs.word[own]].sum())
    )
    level = Level(
        *(column[kept] for column in (pairs.prefix, pairs.word, pairs.log_p, pairs.backoff))
    )
    return NGramModel(V, [Level(words.prefix, words.word, words.log_p, backoff), level])


def divergence(model: NGramModel, other: NGramModel, context: int) -> float:
    """p(h) sum_w p(w | h) (log p(w | h) - log q(w | h)), p(<s>) being p(</s>)."""
    state = np.array([[context]], np.int32)
    p, q = (one.distribution(state)[0].astype(float) for one in (model, other))
    marginal = 10.0 ** float(model.levels[0].log_p[0 if context == V.bos_id else context])
    return marginal * float((np.exp(p) * (p - q)).sum())


@pytest.mark.parametrize("threshold", [1e-4, 1e-3, 4e-3, 1e-2])
def test_goes_what_costs_less_than_the_threshold(bigrams, threshold):
    """What Stolcke 1998 computes from a few sums, measured over whole distributions."""
    pairs = bigrams.levels[1]
    expected = [
        (V.words[prefix], V.words[word])
        for index, (prefix, word) in enumerate(zip(pairs.prefix, pairs.word, strict=True))
        if np.expm1(divergence(bigrams, without(bigrams, index), int(prefix))) >= threshold
    ]
    left = entropy_pruned(bigrams, threshold).levels[1]
    found = [(V.words[p], V.words[w]) for p, w in zip(left.prefix, left.word, strict=True)]
    assert found == expected
    assert len(found) < len(pairs) or threshold < 1e-3


@pytest.mark.parametrize("threshold", [1e-3, 1e-2, 0.1])
def test_probabilities_still_sum_to_one(threshold):
    model = entropy_pruned(
        estimate(V.encode_text(TEXT * 2), V, order=4, smoothing="witten-bell"), threshold
    )
    for h in itertools.product(range(2, 5), repeat=3):
        state = model.start(sentence=False)
        for id in h:
            state = model.advance(np.array([id]), state)
        assert np.exp(model.distribution(state)[0].astype(float)).sum() == pytest.approx(
            1, abs=1e-5
        )


def test_nothing_goes_at_zero_and_all_that_can_at_once(bigrams):
    assert entropy_pruned(bigrams, 0).sizes == bigrams.sizes
    assert entropy_pruned(bigrams, 1e9).sizes == [6, 0]
    with pytest.raises(ConfigError, match="expected threshold of 0 or more"):
        entropy_pruned(bigrams, -1)
