"""Forced decoding and ensembles: what sequences cost, by the models' own tables."""

from __future__ import annotations

import math
import sys

import pytest
import torch

from penstock.counting import Vocabulary, estimate
from penstock.counting.symbols import Symbols
from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.search import (
    Beam,
    Ensemble,
    Renumbered,
    Score,
    beam_search,
    force,
    shallow_fusion,
)
from tests.search.exhaustive import BOS, EOS, Toy, every, score_of

TARGETS = [[[2, 3, 4], [], [1, 1]], [], [[4] * 6, [2]], [[3]]]


def forced(model, targets, **rest):
    return force(model, targets, start_id=BOS, eos_id=EOS, **rest)


def test_targets_cost_what_the_tables_say(monkeypatch):
    """In their order, whatever lies beside them and however many go at once."""
    model = Toy(5, sentences=4, sources=(3, 1, 4, 2))
    whole = forced(model, TARGETS, attention=True)
    assert [[h.ids for h in several] for several in whole] == TARGETS
    for sentence, several in enumerate(whole):
        for hypothesis in several:
            log_ps, looked = model.row(sentence, hypothesis.ids)
            assert hypothesis.log_ps == log_ps
            assert hypothesis.score == hypothesis.log_p == pytest.approx(sum(log_ps))
            assert torch.equal(hypothesis.attention, torch.stack(looked))
    monkeypatch.setattr(sys.modules[force.__module__], "ROWS", 2)
    assert forced(model, TARGETS) == whole


@pytest.mark.parametrize("coverage", [0.0, 0.7])
def test_answers_of_a_beam_cost_the_same_when_forced(coverage):
    sources = torch.tensor([3, 1, 4, 2])
    model = Toy(5, sentences=4, sources=tuple(sources))
    options = Beam(4, 4, max_length=5, normalise="wu", coverage=coverage)
    given = {"start_id": BOS, "eos_id": EOS, "source_lengths": sources, "attention": True}
    answers = beam_search(model, 4, options, **given)
    targets = [[hypothesis.ids for hypothesis in several] for several in answers]
    for found, again in zip(
        answers, force(model, targets, score=options.score(), **given), strict=True
    ):
        for one, other in zip(found, again, strict=True):
            assert one.log_ps == other.log_ps
            assert one.score == pytest.approx(other.score, abs=1e-12)
            assert torch.equal(one.attention, other.attention)


def test_what_cannot_be_costs_everything():
    model = Toy(4)
    model.log_p[..., 2], model.log_p[..., 3] = -torch.inf, torch.nan
    (found,) = forced(model, [[[2], [3], [1]]])
    assert [hypothesis.log_p > -math.inf for hypothesis in found] == [False, False, True]


def test_nothing_to_force():
    assert forced(Toy(3), []) == []
    assert forced(Toy(3, sentences=2), [[], []]) == [[], []]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[[2, EOS]]], "without the end, which is 0"),
        ([[[1, 5]]], "symbols from 0 to 4"),
        ([[[-1]]], "symbols from 0 to 4"),
    ],
)
def test_impossible_targets(targets, message):
    with pytest.raises(ConfigError, match=message):
        forced(Toy(5), targets)


def test_coverage_needs_attention():
    with pytest.raises(ConfigError, match="model with attention"):
        forced(Toy(5), [[[1]]], score=Score(coverage=0.1))


# -- ensembles -------------------------------------------------------------------------------------


class Mixed(Toy):
    """A table that is a mixture of others, computed from its definition."""

    def __init__(self, models, weights, mixture):
        super().__init__(models[0].vocab_size, sentences=len(models[0].log_p))
        parts = [model.log_p for model in models]
        if mixture == "linear":
            p = sum(weight * part.exp() for weight, part in zip(weights, parts, strict=True))
            self.log_p = p.log()
        else:
            total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
            self.log_p = total - (total.exp().sum(-1, keepdim=True).log()) * (mixture != "sum")


@pytest.mark.parametrize("mixture", ["linear", "log-linear", "sum"])
@pytest.mark.parametrize("weights", [(0.2, 0.5, 0.3), (0.6, 0.0, 0.4), None])
def test_ensemble_is_the_mixture_of_its_members(mixture, weights):
    models = [Toy(5, sentences=3, seed=seed) for seed in range(3)]
    equal = [1.0] * 3 if mixture == "sum" else [1 / 3] * 3
    single = Mixed(models, weights or equal, mixture)
    ensemble = Ensemble(models, weights, mixture=mixture)
    options = Beam(4, 4, max_length=5)
    one = beam_search(single, 3, options, start_id=BOS, eos_id=EOS)
    several = beam_search(ensemble, 3, options, start_id=BOS, eos_id=EOS)
    for own, found in zip(one, several, strict=True):
        assert [h.ids for h in own] == [h.ids for h in found]
        for a, b in zip(own, found, strict=True):
            assert a.log_ps == pytest.approx(b.log_ps)


def test_attention_is_the_weighted_mean():
    models = [Toy(4, sources=(3,), seed=0), Toy(4, seed=1), Toy(4, sources=(3,), seed=2)]
    ensemble = Ensemble(models, [0.2, 0.5, 0.3])
    (found,) = force(ensemble, [[[2, 1]]], start_id=BOS, eos_id=EOS, attention=True)
    looks = [torch.stack(model.row(0, [2, 1])[1]) for model in (models[0], models[2])]
    assert torch.allclose(found[0].attention, (0.2 * looks[0] + 0.3 * looks[1]) / 0.5)
    apart = Ensemble([models[0], Toy(4, sources=(2,))], looking=[0])
    (found,) = force(apart, [[[2, 1]]], start_id=BOS, eos_id=EOS, attention=True)
    assert torch.equal(found[0].attention, looks[0])


def test_members_with_different_cells():
    cells = ("lstm", "gru", "indrnn")
    models = [LanguageModel(7, cell, embedding_size=3, hidden_size=4).eval() for cell in cells]
    ids = [2, 5, 3]
    (found,) = forced(Ensemble(models), [[ids]])
    steps = [model.step(torch.tensor([BOS]), model.start(1))[0] for model in models]
    expected = torch.log_softmax(torch.stack(steps).mean(0), -1)[0, 2]
    assert found[0].log_ps[0] == pytest.approx(float(expected.detach()), abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "mixture", "message"),
    [
        ([0.5], "linear", "a weight for each of 2 models"),
        ([0.5, 0.6], "linear", "their sum 1"),
        ([0.5, -0.5], "sum", "none below 0"),
        ([0.0, 0.0], "sum", "some above"),
        ([float("nan"), 1.0], "log-linear", "none below 0"),
        (None, "liner", "Did you mean 'linear'"),
    ],
)
def test_impossible_ensembles(weights, mixture, message):
    with pytest.raises(ConfigError, match=message):
        Ensemble([Toy(3), Toy(3)], weights, mixture=mixture)


def test_members_with_other_symbols_are_refused():
    with pytest.raises(ConfigError, match=r"same symbols, got \[3, 4\]"):
        beam_search(Ensemble([Toy(3), Toy(4)]), 1, start_id=BOS, eos_id=EOS)


# -- fusion with a language model ------------------------------------------------------------------

TOKENS = ["b", "<eos>", "a", "c"]


def ngrams():
    vocabulary = Vocabulary(["a", "b"])
    text = vocabulary.encode_text("a b\na a b\nb a\n")
    return estimate(text, vocabulary, order=3, smoothing="witten-bell")


def test_fusion_with_ngrams_is_the_weighted_sum():
    """Against listing: model and n-grams priced separately, numbers and unknown words apart."""
    counted = ngrams()
    model = Toy(4, sentences=2, seed=5)
    model.log_p = model.log_p[..., [1, 0, 2, 3]]  # its end is symbol 1, as in TOKENS
    language = Renumbered.by_text(
        Symbols(counted), counted.vocabulary.tokens, TOKENS, unknown=counted.vocabulary.unk_id
    )
    fused = shallow_fusion(model, language, 0.4)
    options = Beam(100, 5, max_length=3, normalise="none", stop="never")
    answers = beam_search(fused, 2, options, start_id=1, eos_id=1)
    for sentence, found in enumerate(answers):
        assert len(found) == 5
        for hypothesis in found:
            before, last, total = 1, 1, 0.0
            for step, symbol in enumerate([*hypothesis.ids, 1]):
                total += float(model.log_p[sentence, step, before, last, symbol])
                before, last = last, symbol
            words = [TOKENS[symbol] for symbol in hypothesis.ids]
            total += 0.4 * counted.score(" ".join(words)) * math.log(10)
            assert hypothesis.score == pytest.approx(total, abs=1e-4)


def test_ngram_state_is_selected_with_its_row():
    counted = ngrams()
    model = Symbols(counted)
    ids = [2, 3, 2]
    state = model.start(2)
    for symbol in ids:
        _, state = model.step(torch.tensor([symbol, 0]), state)
    one = model.step(torch.tensor([3, 3, 3]), model.select(state, torch.tensor([1, 0, 1])))[0]
    two = model.step(torch.tensor([3, 3]), state)[0]
    assert torch.equal(one, two[[1, 0, 1]])


def test_renumbering_is_refused_when_a_symbol_is_lacking():
    with pytest.raises(ConfigError, match="without 1 of them, 'c' the first"):
        Renumbered.by_text(Toy(3), ["<eos>", "a", "b"], TOKENS)


def test_language_model_fuses_with_itself():
    torch.manual_seed(0)
    model = LanguageModel(6, "gru", embedding_size=4, hidden_size=4).eval()
    alone = beam_search(model, 1, Beam(3, 3, max_length=4), start_id=0, eos_id=0)
    fused = beam_search(
        shallow_fusion(model, model, 1.0), 1, Beam(3, 3, max_length=4), start_id=0, eos_id=0
    )
    for one, twice in zip(alone[0], fused[0], strict=True):
        assert one.ids == twice.ids
        assert twice.log_p == pytest.approx(2 * one.log_p)


def test_exact_search_of_an_ensemble():
    models = [Toy(4, seed=seed) for seed in range(2)]
    options = Beam(200, 10, max_length=4, stop="bound")
    (found,) = beam_search(Ensemble(models), 1, options, start_id=BOS, eos_id=EOS)
    expected = every(Mixed(models, [0.5, 0.5], "log-linear"), 0, 4, score_of(options))[:10]
    assert [hypothesis.ids for hypothesis in found] == [ids for _, ids in expected]
