"""Constraints: kept by every answer, and no more cut off than they say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.search import Beam, Constraints, beam_search
from tests.search.exhaustive import BOS, EOS, Toy, every, score_of

V, SENTENCES, STEPS = 6, 4, 8
LARGE = 4000
MODEL = Toy(V, sentences=SENTENCES, steps=STEPS)


def search(model, options, constraints, batch=SENTENCES):
    return beam_search(model, batch, options, start_id=BOS, eos_id=EOS, constraints=constraints)


def contains(ids, phrase):
    return any(ids[n : n + len(phrase)] == list(phrase) for n in range(len(ids)))


def repeats(ids, n):
    grams = [tuple(ids[k : k + n]) for k in range(len(ids) - n + 1)]
    return len(set(grams)) < len(grams)


symbol = st.integers(1, V - 1)
phrase = st.lists(symbol, min_size=1, max_size=3)


def each(strategy, **size):
    return st.lists(st.lists(strategy, **size), min_size=SENTENCES, max_size=SENTENCES)


@settings(max_examples=40)
@given(
    size=st.sampled_from([1, 2, 5]),
    groups=st.sampled_from([1, 2]),
    least=st.integers(0, 4),
    most=st.lists(st.integers(0, STEPS - 1), min_size=SENTENCES, max_size=SENTENCES),
    no_repeat=st.integers(0, 2),
    forbidden=st.lists(symbol, max_size=1),
    must_not=each(phrase, max_size=3),
)
def test_every_answer_keeps_the_rules(size, groups, least, most, no_repeat, forbidden, must_not):
    options = Beam(size * groups, size, STEPS, least, no_repeat=no_repeat, groups=groups)
    constraints = Constraints(forbidden, most, must_not=must_not)
    for sentence, found in enumerate(search(MODEL, options, constraints)):
        for hypothesis in found:
            ids = hypothesis.ids
            assert min(least, most[sentence]) <= len(ids) <= most[sentence]
            assert EOS not in ids
            assert not set(forbidden) & set(ids)
            assert not any(contains(ids, phrase) for phrase in must_not[sentence])
            assert not (no_repeat and repeats(ids, no_repeat))


@settings(max_examples=40)
@given(
    size=st.sampled_from([1, 2, 5]),
    groups=st.sampled_from([1, 2]),
    must=each(phrase, max_size=2),
    normalise=st.sampled_from(["none", "average"]),
)
def test_every_answer_has_its_phrases_and_there_is_one(size, groups, must, normalise):
    """Even with one hypothesis and phrases that fill the whole length."""
    most = [max(1, sum(len(p) for p in several)) for several in must]
    options = Beam(size * groups, 1, normalise=normalise, groups=groups)
    answers = search(MODEL, options, Constraints(max_lengths=most, must=must))
    for found, phrases in zip(answers, must, strict=True):
        assert len(found) == 1
        assert all(contains(found[0].ids, phrase) for phrase in phrases)


@settings(max_examples=30)
@given(prefixes=each(symbol, max_size=5), size=st.sampled_from([1, 3]))
def test_every_answer_begins_with_its_prefix(prefixes, size):
    """Whatever the other rules say of it."""
    options = Beam(size, no_repeat=1, max_length=STEPS - 1)
    constraints = Constraints([1], prefixes=prefixes, must_not=[[p] if p else [] for p in prefixes])
    for sentence, (found, *_) in enumerate(search(MODEL, options, constraints)):
        prefix = prefixes[sentence]
        assert found.ids[: len(prefix)] == prefix
        assert found.log_ps == pytest.approx(MODEL.row(sentence, found.ids)[0])
        rest = found.ids[len(prefix) :]
        assert 1 not in rest
        assert len(set(rest)) == len(rest)


RULES = {
    "length": (Constraints(), {"min_length": 3, "max_length": 4}, lambda ids: len(ids) >= 3),
    "no repeat": (Constraints(), {"no_repeat": 2}, lambda ids: not repeats(ids, 2)),
    "forbidden": (Constraints([2, 4]), {}, lambda ids: not {2, 4} & set(ids)),
    "prefix": (Constraints(prefixes=[[3, 3]]), {}, lambda ids: ids[:2] == [3, 3]),
    "must not": (
        Constraints(must_not=[[[2], [3, 1], [1, 1, 1]]]),
        {},
        lambda ids: not any(contains(ids, p) for p in ([2], [3, 1], [1, 1, 1])),
    ),
    "must not end": (
        Constraints(must_not=[[[3, EOS], [EOS]]]),
        {"max_length": 0},
        lambda ids: False,
    ),
    "must": (Constraints(must=[[[2, 3]]]), {}, lambda ids: contains(ids, [2, 3])),
    "must a phrase that overlaps itself": (
        Constraints(must=[[[3, 3, 2]]]),
        {},
        lambda ids: contains(ids, [3, 3, 2]),
    ),
    "must two phrases": (
        Constraints(must=[[[2, 3], [1], [2, 3]]]),
        {},
        lambda ids: contains(ids, [2, 3]) and contains(ids, [1]),
    ),
    "must and must not": (
        Constraints(must=[[[2, 3]]], must_not=[[[2, 3, 1], [1, 2]]]),
        {},
        lambda ids: (
            contains(ids, [2, 3]) and not contains(ids, [2, 3, 1]) and not contains(ids, [1, 2])
        ),
    ),
    "what cannot be": (Constraints(must=[[[2, 3]]], must_not=[[[3]]]), {}, lambda ids: False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_large_beam_finds_the_best_that_are_allowed(rule, seed):
    constraints, options, allowed = RULES[rule]
    options = Beam(LARGE, 10, stop="never", **({"max_length": 4} | options))
    model = Toy(5, steps=5, seed=seed)
    (found,) = search(model, options, constraints, batch=1)
    expected = every(model, 0, options.max_length, score_of(options), allowed=allowed)[:10]
    assert [hypothesis.ids for hypothesis in found] == [ids for _, ids in expected]


@pytest.mark.parametrize("seed", range(3))
def test_no_place_is_given_to_what_cannot_get_its_phrases_in(seed):
    """11 sequences of 3 symbols at most have the phrase; each beam of less is full of such."""
    model = Toy(V, seed=seed)
    for size in (2, 5, 8):
        options = Beam(size, size, max_length=3, stop="never")
        (found,) = search(model, options, Constraints(must=[[[2, 3]]]), batch=1)
        assert len(found) == size


def test_a_sentence_without_phrases_is_as_if_alone():
    options = Beam(3, 3, max_length=5)
    free = search(MODEL, options, Constraints())
    must = [[], [[3, 4]], [], [[5], [2, 1]]]
    bound = search(MODEL, options, Constraints(must=must))
    assert [bound[0], bound[2]] == [free[0], free[2]]


# -- diverse beams ---------------------------------------------------------------------------------


def test_groups_without_diversity_are_one_small_beam():
    apart = search(MODEL, Beam(6, 6, max_length=5, groups=3, diversity=0.0), Constraints())
    assert apart == search(MODEL, Beam(2, 2, max_length=5), Constraints())


def test_first_group_is_a_small_beam_and_the_others_differ():
    """With a penalty beyond any log-probability no two groups begin alike."""
    small = search(MODEL, Beam(1, max_length=5), Constraints())
    options = Beam(3, 3, max_length=5, groups=3, diversity=100.0, min_length=1)
    for sentence, found in enumerate(search(MODEL, options, Constraints())):
        ids = [hypothesis.ids for hypothesis in found]
        assert len(ids) == 3
        if small[sentence][0].ids:
            assert small[sentence][0].ids in ids
        assert len({each[0] for each in ids}) == 3
        for hypothesis in found:  # the penalty is no part of the score
            assert hypothesis.log_ps == pytest.approx(MODEL.row(sentence, hypothesis.ids)[0])


def test_second_group_by_hand():
    """p = .5 .3 .2 in every step: the second group takes .3 when the penalty beats log .5/.3."""
    model = Toy(4, steps=3)
    model.log_p[:] = model.log_p.new_tensor([1e-9, 0.5, 0.3, 0.2]).log()
    for diversity, second in ((0.4, [1, 1]), (0.6, [2, 2])):
        options = Beam(2, 2, 2, 2, groups=2, diversity=diversity)
        (found,) = search(model, options, Constraints(), batch=1)
        assert [h.ids for h in found][-1] == second


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Constraints(max_lengths=[3]), "max_lengths of 1 sentences, not 2"),
        (Constraints(prefixes=[[1]] * 3), "prefixes of 3 sentences, not 2"),
        (Constraints([EOS]), "the end among forbidden"),
        (Constraints(max_lengths=[3, -1]), "max_length=-1 for sentence 1"),
        (Constraints(must=[[], [[2], []]]), "an empty phrase for sentence 1"),
        (Constraints(must_not=[[[]], []]), "an empty phrase for sentence 0"),
        (Constraints(prefixes=[[EOS], []]), "the end in what must come for sentence 0"),
        (Constraints(must=[[], [[1, EOS]]]), "the end in what must come for sentence 1"),
        (
            Constraints(max_lengths=[2, 4], must=[[], [[1, 2], [3, 3, 3]]]),
            "5 symbols that must come with max_length=4 for sentence 1",
        ),
        (Constraints(prefixes=[[], [1] * 6]), "6 symbols that must come with max_length=5"),
        (Constraints([V]), "symbol 6 where there are 6"),
        (Constraints(must_not=[[], [[-1]]]), "symbol -1 where there are 6"),
    ],
    ids=str,
)
def test_impossible_constraints(constraints, message):
    with pytest.raises(ConfigError, match=message):
        search(MODEL, Beam(max_length=5), constraints, batch=2)


def test_all_mistakes_at_once():
    constraints = Constraints([EOS], prefixes=[[EOS], [1] * 9])
    with pytest.raises(ConfigError) as error:
        search(MODEL, Beam(max_length=5), constraints, batch=2)
    assert str(error.value).count(";") == 2


def test_nothing_is_pruned_where_a_phrase_must_come():
    must = [[[2, 3, 1]], []]
    found = [
        search(MODEL, Beam(4, 4, max_length=6, prune=prune), Constraints(must=must), batch=2)
        for prune in (0.0, 0.01)
    ]
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]
