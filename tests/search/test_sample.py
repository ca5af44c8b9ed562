"""Sampling: every rule against the distribution it promises."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice

import pytest
import torch

from penstock.errors import ConfigError, DataError
from penstock.search import Beam, Constraints, Draws, Sampling, beam_search, generate, sample
from tests.search.exhaustive import BOS, EOS, Toy, every

P = torch.tensor([0.5, 0.25, 0.15, 0.1])


class Fixed:
    """Gives the same distribution at every step and counts its steps in the state."""

    def start(self, batch):
        return 0

    def step(self, ids, state):
        return P.log().repeat(len(ids), 1), state + 1


def frequencies(sampling, draws=4000):
    generator = torch.Generator().manual_seed(3)
    symbols = sampling.draw(P.log().repeat(draws, 1), generator)
    return torch.bincount(symbols, minlength=4) / draws


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(temperature=0), [1, 0, 0, 0]),
        (Sampling(temperature=0.5), (P**2 / (P**2).sum()).tolist()),
        (Sampling(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=99), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(top_p=0.5), [1, 0, 0, 0]),
        (Sampling(top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=3, top_p=0.75), [2 / 3, 1 / 3, 0, 0]),
    ],
    ids=str,
)
def test_drawn_as_promised(sampling, expected):
    assert frequencies(sampling) == pytest.approx(expected, abs=0.03)


def test_same_seed_same_text_and_forbidden_never():
    texts = [list(islice(generate(Fixed(), [0], seed=s, forbidden=[1]), 200)) for s in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]
    assert 1 not in texts[0]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0)], ids=str)
def test_what_is_forbidden_must_not_be_all_that_can_follow(sampling):
    with pytest.raises(DataError, match="got none but forbidden ones such as <unk>"):
        next(generate(Fixed(), [0], sampling, forbidden=[0, 1, 2, 3]))


@pytest.mark.parametrize(
    "options",
    [
        *({"temperature": -1}, {"temperature": 1e-9}, {"temperature": math.nan}),
        *({"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}),
    ],
    ids=str,
)
def test_impossible_settings(options):
    with pytest.raises(ConfigError, match="Sampling: expected"):
        Sampling(**options)


@pytest.mark.parametrize(
    "options", [{"nbest": 0}, {"seed": -1}, {"max_length": 2, "min_length": 3}], ids=str
)
def test_impossible_draws(options):
    with pytest.raises(ConfigError, match="expected"):
        Draws(**options)


def test_empty_prompt():
    with pytest.raises(ConfigError, match="at least one symbol"):
        next(generate(Fixed(), []))


# -- many side by side -----------------------------------------------------------------------------


def drawn(model, batch, **options):
    return sample(model, batch, start_id=BOS, eos_id=EOS, **options)


def test_sequences_come_as_often_as_they_are_probable():
    model = Toy(4, sentences=2, spread=1.0)
    found = drawn(model, 2, number=20_000, max_length=2)
    for sentence, several in enumerate(found):
        counts = Counter(tuple(hypothesis.ids) for hypothesis in several)
        for score, ids in every(model, sentence, 2, lambda log_ps, looked: sum(log_ps)):
            p = math.exp(score)
            if len(ids) == 2:  # the end is taken, not drawn
                p = math.exp(sum(model.row(sentence, ids)[0][:-1]))
            assert counts[tuple(ids)] / 20_000 == pytest.approx(p, abs=0.02)


def test_a_sentence_is_drawn_the_same_whatever_lies_beside_it():
    model = Toy(5, sentences=6)
    whole = drawn(model, 6, number=3, max_length=7, seed=4)
    assert len({str(h.ids) for several in whole for h in several}) > 6
    for sentence, several in enumerate(whole):
        model.first = sentence
        assert drawn(model, 1, number=3, max_length=7, seed=4, numbers=[sentence]) == [several]
        for hypothesis in several:
            log_ps, _ = model.row(sentence, hypothesis.ids)
            assert hypothesis.log_ps == log_ps


def test_a_longer_sentence_beside_it_changes_nothing():
    model = Toy(5, sentences=2)
    lengths = Constraints(max_lengths=[4, 7])
    alone = drawn(model, 1, number=3, constraints=Constraints(max_lengths=[4]))
    assert drawn(model, 2, number=3, constraints=lengths)[0] == alone[0]


def test_sentences_are_drawn_independently():
    model = Toy(5, sentences=2)
    model.log_p[1] = model.log_p[0]
    first, second = drawn(model, 2, number=5, max_length=7)
    assert first != second


def test_temperature_zero_is_greedy_search():
    model = Toy(6, sentences=5)
    greedy = beam_search(model, 5, Beam(1, max_length=6), start_id=BOS, eos_id=EOS)
    found = drawn(model, 5, sampling=Sampling(0.0), max_length=6)
    assert [[h.ids for h in each] for each in found] == [[h.ids for h in each] for each in greedy]


def test_rules_hold_for_what_is_drawn():
    rules = Constraints(
        [4], [5, 0, 6, 7], [[], [], [2, 2], []], must_not=[[], [], [], [[3], [1, 2]]]
    )
    found = drawn(Toy(6, sentences=4), 4, number=50, min_length=2, constraints=rules)
    for sentence, several in enumerate(found):
        assert len(several) == 50
        for hypothesis in several:
            ids = hypothesis.ids
            assert min(2, rules.max_lengths[sentence]) <= len(ids) <= rules.max_lengths[sentence]
            assert 4 not in ids
            assert ids[:2] == [2, 2] or sentence != 2
            assert (3 not in ids and "1, 2" not in str(ids)) or sentence != 3


def test_sequences_that_have_ended_leave_the_batch():
    model = Toy(3, sentences=2)
    model.log_p[0, 0, ..., EOS] = 50.0
    drawn(model, 2, number=4, max_length=7)
    assert model.calls[0] == 8
    assert all(calls <= 4 for calls in model.calls[1:])


@pytest.mark.parametrize("wrong", [math.nan, -math.inf])
def test_what_has_no_probability_is_never_drawn(wrong):
    model = Toy(4, sentences=2)
    model.log_p[0, ..., 2:] = wrong
    model.log_p[1] = wrong
    first, second = drawn(model, 2, number=50, max_length=6)
    assert {symbol for hypothesis in first for symbol in hypothesis.ids} == {1}
    assert second == []


def test_nothing_to_draw():
    assert drawn(Toy(3), 0) == []
    assert drawn(Toy(3), 1, number=0) == [[]]


def test_phrases_that_must_come_are_refused():
    with pytest.raises(ConfigError, match="no phrases that must come"):
        drawn(Toy(3), 1, constraints=Constraints(must=[[[2]]]))
