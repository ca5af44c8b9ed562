"""Ways to find translations: demands, samples, minimum Bayes risk, a language model's advice."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.counting import Vocabulary, estimate
from penstock.counting.symbols import Symbols
from penstock.errors import ConfigError, DataError
from penstock.search import Beam, Draws, Risk, Sampling, force, minimum_risk
from penstock.text import Tokeniser, pad
from penstock.translation.demands import Demand
from penstock.translation.fusion import fitted
from tests.training import pairs_toy
from tests.translation.translated import translated

LINES = ["one", "red dog and two cat", "", "cat", "two dog", "and one red cat", "dog", "red"]
TARGETS = [target for _, target in pairs_toy.PAIRS]
KINDS = ("word", "character", "bpe")


@pytest.fixture(params=KINDS)
def system(request, tmp_path):
    return pairs_toy.untrained(tmp_path, request.param)


@pytest.fixture
def words(tmp_path):
    return pairs_toy.untrained(tmp_path)


def texts(*arguments, **options):
    return [one.texts for one in translated(*arguments, **options)]


# -- demands ---------------------------------------------------------------------------------------


def test_what_must_and_must_not_come(system):
    demands = [
        *(Demand(prefix="Hund und"), Demand(must=["rot Katze", "zwei"]), Demand(prefix="eins")),
        *(Demand(must_not=["eins", "rot", "a"]), Demand("zwei", ["Hund"]), Demand(), Demand()),
        Demand(must=["und"], must_not=["Hund"]),
    ]
    options = Beam(4, max_length=60)
    found = translated([system], LINES, options, demands=demands, forbidden=["Katze Katze"])
    assert [one.failed for one in found] == [False] * 8
    best = [one.texts[0] for one in found]
    assert best[2] == ""
    assert best[0].startswith("Hund und")
    assert "rot Katze" in best[1]
    assert "zwei" in best[1]
    assert not {"eins", "rot"} & set(best[3].split())
    assert best[4].startswith("zwei")
    assert "Hund" in best[4]
    assert "und" in best[7]
    assert not any("Katze Katze" in text for text in best)
    alone = texts([system], LINES, options, demands=demands, forbidden=["Katze Katze"], window=1)
    assert [each[0] for each in alone] == best


@pytest.mark.parametrize(
    "demand",
    [
        Demand(must=["zebra"]),  # a word that is not known
        Demand(prefix="zebra"),
        Demand(must=["eins zwei rot Hund Katze und"]),  # too long
        Demand(must=["Hund"], must_not=["Hund"]),
    ],
    ids=str,
)
def test_what_cannot_be_met(words, demand):
    demands = [Demand(), demand, Demand()]
    lines = ["one", "red dog", "cat"]
    found = translated([words], lines, Beam(3, max_length=5), demands=demands)
    assert [one.failed for one in found] == [False, True, False]
    assert found[1].texts == [""]
    free = texts([words], lines, Beam(3, max_length=5))
    assert [found[0].texts, found[2].texts] == [free[0], free[2]]


def test_what_cannot_be_written_need_not_be_forbidden(words):
    assert texts([words], LINES, forbidden=["zebra"]) == texts([words], LINES)


@pytest.mark.parametrize(
    ("number", "said"), [(2, "got 2 for 3 lines or more"), (4, "got 4 for 3 lines")]
)
def test_a_demand_for_each_line(words, number, said):
    with pytest.raises(DataError, match=said):
        texts([words], ["one", "", "cat"], demands=[Demand()] * number)


# -- samples and minimum Bayes risk ----------------------------------------------------------------


def test_samples_depend_on_the_seed_and_the_line_alone(system):
    draws = Draws(3, Sampling(1.5), seed=4, max_length=9)
    found = texts([system], LINES, draws)
    assert texts([system], LINES, draws) == found
    assert texts([system], LINES, draws, window=1) == found
    assert texts([system], LINES, draws, window=3) == found
    assert texts([system], LINES, Draws(3, Sampling(1.5), seed=5, max_length=9)) != found
    assert [len(each) for each in found] == [3, 3, 1, 3, 3, 3, 3, 3]
    same_source = texts([system], ["one", "one"], draws)
    assert same_source[0] != same_source[1]


def test_samples_obey_and_cannot_be_made_to_have_a_phrase(words):
    draws = Draws(20, max_length=9)
    demands = [Demand(prefix="rot", must_not=["Hund"])]
    (found,) = texts([words], ["red dog"], draws, demands=demands)
    assert all(text.split()[0] == "rot" and "Hund" not in text for text in found)
    with pytest.raises(ConfigError, match="no phrases that must come in samples"):
        texts([words], ["one"], draws, demands=[Demand(must=["rot"])])


def test_samples_hold_the_attention(words):
    (found,) = translated([words], ["red dog"], Draws(max_length=5), attention=True)
    (one,) = found.hypotheses
    assert one.attention.shape == (len(one.ids) + 1, 3)


@pytest.mark.parametrize("options", [Draws(12, max_length=6), Beam(12, nbest=12)], ids=repr)
def test_risk_chooses_among_all_candidates(words, options):
    whole = translated([words], LINES, options)
    chosen = translated([words], LINES, options, risk=Risk("bleu", nbest=2))
    for every, few in zip(whole, chosen, strict=True):
        weights = None
        if isinstance(options, Beam):
            weights = [np.exp(one.log_p) for one in every.hypotheses]
        ranked = minimum_risk(every.texts, weights=weights, utility="bleu") if every.line else []
        assert few.texts == ([each.text for each in ranked[:2]] or [""])
        assert [one.score for one in few.hypotheses] == pytest.approx(
            [each.utility for each in ranked[:2]]
        )


# -- a language model's advice ---------------------------------------------------------------------


def counted(lines):
    """An n-gram model of words, as search takes it, and its tokeniser."""
    tokeniser = Tokeniser.from_lines(lines)
    vocabulary = Vocabulary(tokeniser.tokens[2:])
    ids = vocabulary.encode_text("".join(line + "\n" for line in lines))
    return Symbols(estimate(ids, vocabulary, order=2, smoothing="witten-bell")), tokeniser


def test_the_score_is_the_sum_of_both(words):
    language, own = counted([*TARGETS, "more words"])
    fusion = fitted(language, own, words.target, 0.7, name="lm")
    assert fusion.lacking == 0
    (found,) = translated([words], ["red dog"], Beam(6, nbest=6), fusion=fusion)
    given = words.model.given(*pad(words.encode(["red dog"]), words.source.eos_id))
    ends = {"start_id": words.target.bos_id, "eos_id": words.target.eos_id}
    forced = force(given, [[one.ids for one in found.hypotheses]], **ends)[0]
    for text, one, alone in zip(found.texts, found.hypotheses, forced, strict=True):
        advice = language.model.score(text) * np.log(10)
        assert one.log_p == pytest.approx(alone.log_p + 0.7 * advice, rel=1e-5)


def test_much_advice_is_all_that_counts_and_none_nothing(words):
    language, own = counted(["Hund und Katze"] * 50)
    strong, none = (fitted(language, own, words.target, w, name="lm") for w in (1000.0, 0.0))
    options = Beam(6, normalise="none", stop="bound")
    assert {each[0] for each in texts([words], LINES[:2], options, fusion=strong)} == {
        "Hund und Katze"
    }
    assert texts([words], LINES, fusion=none) == texts([words], LINES)
    assert strong.lacking == len({"eins", "zwei", "rot"})


def test_an_ensemble_is_advised_too(words):
    language, own = counted(TARGETS)
    fusion = fitted(language, own, words.target, 0.5, name="lm")
    both = texts([words, words], LINES, fusion=fusion)
    assert both == texts([words], LINES, fusion=fusion)


@pytest.mark.parametrize(
    ("kind", "own", "said"),
    [
        ("character", Tokeniser.from_lines(TARGETS), "of character tokens.* got word tokens"),
        ("word", Tokeniser.from_lines(["x y z"]), "knows none of its 8 words"),
        (
            "bpe",
            Tokeniser.from_lines(TARGETS, "bpe", vocab_size=290),
            "pieces that the trans",
        ),
    ],
    ids=["kind", "words", "pieces"],
)
def test_language_models_of_other_tokens(tmp_path, kind, own, said):
    target = pairs_toy.untrained(tmp_path, kind).target
    language, _ = counted(TARGETS)
    with pytest.raises(DataError, match=f"^lm: expected .*{said}"):
        fitted(language, own, target, 0.3, name="lm")


def test_advice_has_no_negative_weight(words):
    language, own = counted(TARGETS)
    with pytest.raises(ConfigError, match="expected lm_weight >= 0, got lm_weight=-1"):
        fitted(language, own, words.target, -1.0, name="lm")
