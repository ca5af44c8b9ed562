"""Minimum Bayes risk: the utilities against sacreBLEU, the choice against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from penstock.errors import ConfigError
from penstock.search import Hypothesis, Risk, minimum_risk
from penstock.search.utility import UTILITIES

LIBRARY = {"bleu": BLEU(effective_order=True), "chrf": CHRF()}

texts = st.lists(
    st.text("ab ,.Ä", max_size=20) | st.text("ab ", min_size=10, max_size=40),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("name", LIBRARY)
@given(hyps=texts, refs=texts)
def test_every_pair_is_what_the_library_says(name, hyps, refs):
    expected = [[LIBRARY[name].sentence_score(h, [r]).score for r in refs] for h in hyps]
    assert UTILITIES[name](hyps, refs) == pytest.approx(np.array(expected), abs=1e-9)


def same(hyps, refs):
    """Utility 1 for the right text, else 0: the risk is that of being wrong."""
    return np.array([[float(h == r) for r in refs] for h in hyps])


def test_a_text_is_as_good_as_it_is_probable():
    samples = ["a", "b", "b", "c", "b", "a"]
    ranked = minimum_risk(samples, utility=same)
    assert [(each.text, each.utility) for each in ranked] == [
        ("b", pytest.approx(3 / 6)),
        ("a", pytest.approx(2 / 6)),
        ("c", pytest.approx(1 / 6)),
    ]


def test_weights_and_other_evidence():
    ranked = minimum_risk(["a", "b"], ["b", "a", "x"], weights=[1.0, 3.0, 4.0], utility=same)
    assert [(each.text, each.utility) for each in ranked] == [("a", 0.375), ("b", 0.125)]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_definition_written_out(name):
    samples = ["my dog", "the cat sat", "the cat sat there", "a cat sat here", "the cat sat"]
    score = LIBRARY[name].sentence_score
    risks = {hyp: sum(score(hyp, [ref]).score for ref in samples) / 5 for hyp in samples}
    ranked = minimum_risk(samples, utility=name)
    assert [each.text for each in ranked] == sorted(risks, key=lambda hyp: -risks[hyp])
    assert [each.utility for each in ranked] == pytest.approx([risks[each.text] for each in ranked])


def found(*log_ps):
    return [Hypothesis([n], log_p, log_p, [log_p]) for n, log_p in enumerate(log_ps)]


@pytest.mark.parametrize(
    ("drawn", "expected"), [(True, ["a b", "x"]), (False, ["x", "a b"])], ids=["samples", "n-best"]
)
def test_candidates_count_as_often_as_drawn_or_as_probable(drawn, expected):
    hypotheses = found(-1000.0, -1000.0, -990.0)
    texts, chosen = Risk("bleu", nbest=5).choose(["a b", "a b", "x"], hypotheses, drawn=drawn)
    assert texts == expected
    assert [one.ids for one in chosen] == [[0] if text == "a b" else [2] for text in texts]
    scores = [one.score for one in chosen]
    assert scores == sorted(scores, reverse=True)
    assert [one.log_p for one in chosen] == [hypotheses[one.ids[0]].log_p for one in chosen]


def test_no_candidates():
    assert Risk().choose([], [], drawn=False) == ([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"utility": "bleau"}, "Did you mean 'bleu'"), ({"nbest": 0}, "expected nbest >= 1, got")],
    ids=str,
)
def test_choices_that_cannot_be(options, message):
    with pytest.raises(ConfigError, match=message):
        Risk(**options)


def test_nothing_to_choose():
    assert minimum_risk([]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1.0]}, "a weight >= 0 for each of 2 texts"),
        ({"weights": [1.0, -1.0]}, "a weight >= 0"),
        ({"weights": [0.0, 0.0]}, "some above 0"),
        ({"weights": [1.0, float("nan")]}, "a weight >= 0"),
        ({"evidence": []}, "expected some evidence"),
        ({"utility": "bleau"}, "Did you mean 'bleu'"),
    ],
    ids=str,
)
def test_mistakes(options, message):
    with pytest.raises(ConfigError, match=message):
        minimum_risk(["a", "b"], **options)
