"""The models of the house in search: a state's rows are what they were, and go on alone."""

from __future__ import annotations

import pytest
import torch

from penstock.counting import Vocabulary, estimate
from penstock.counting.symbols import Symbols
from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.models.window import WindowModel
from penstock.search import Beam, Constraints, Ensemble, Renumbered, beam_search

SIZES = {"embedding_size": 4, "hidden_size": 5}


def counted():
    vocabulary = Vocabulary(list("abcdefghi"))
    text = vocabulary.encode_text("a b c a\nb a b\nc i h\n")
    return Symbols(estimate(text, vocabulary, order=3, smoothing="witten-bell"))


MODELS = {
    "lstm": lambda: LanguageModel(11, "lstm", **SIZES),
    "layers of several sizes": lambda: LanguageModel(
        11, "gru", embedding_size=4, hidden_size=[5, 7], num_layers=2
    ),
    "projection": lambda: LanguageModel(11, "lstm-projection", sizes={"P": 3}, **SIZES),
    "learnt state": lambda: LanguageModel(11, "gru", learn_state=True, **SIZES),
    "window": lambda: WindowModel(11, context=4, **SIZES),
    "window of one": lambda: WindowModel(11, context=1, **SIZES),
    "n-grams": counted,
    "ensemble": lambda: Ensemble([LanguageModel(11, "elman", **SIZES), counted()]),
    "renumbered": lambda: Renumbered(counted(), torch.arange(10, -1, -1)),
}


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_rows_go_on_as_they_would_have(name):
    model = MODELS[name]()
    model = model.eval() if hasattr(model, "eval") else model
    state = model.start(3)
    for _ in range(3):
        _, state = model.step(torch.randint(2, 11, (3,)), state)
    rows, ids = torch.tensor([2, 0, 2, 2, 1]), torch.tensor([4, 7, 9])
    for _ in range(2):  # what is selected can be selected again
        expected, after = model.step(ids, state)
        found, state = model.step(ids[rows], model.select(state, rows))
        assert torch.allclose(found, expected[rows], atol=1e-6)
        again, _ = model.step(ids[rows], model.select(after, rows))
        assert torch.allclose(model.step(ids[rows], state)[0], again, atol=1e-6)
        rows, ids = torch.tensor([4, 1, 1]), ids[rows]


@pytest.mark.parametrize("mixture", ["linear", "log-linear"])
def test_a_model_mixed_with_itself_is_itself(mixture):
    one, ids = counted(), torch.tensor([2, 3])
    alone, _ = one.step(ids, one.start(2))
    mixed = Ensemble([one, one], [0.5, 0.5], mixture=mixture)
    log_p, _ = mixed.step(ids, mixed.start(2))
    torch.testing.assert_close(log_p, alone, rtol=1e-4, atol=1e-5)


def test_shares_of_a_linear_mixture_are_one_whole():
    with pytest.raises(ConfigError, match="their sum 1, got weights="):
        Ensemble([counted(), counted()], [0.5, 0.6], mixture="linear")


@torch.no_grad()
def test_no_rows():
    model = MODELS["lstm"]().eval()
    state = model.select(model.start(2), torch.tensor([], dtype=torch.long))
    assert [value.shape for value in state] == [(1, 0, 5)] * 2


@pytest.mark.parametrize("name", ["lstm", "window"])
@pytest.mark.parametrize(
    "options",
    [Beam(1, max_length=9), Beam(3, 3, max_length=9, min_length=3), Beam(9, 4, max_length=5)],
    ids=["greedy", "three", "nearly all"],
)
@torch.no_grad()
def test_a_model_that_finds_its_best_gives_what_all_its_probabilities_give(name, options):
    model = MODELS[name]().double().eval()
    answers = [
        beam_search(each, 4, options, start_id=1, eos_id=0, constraints=Constraints(forbidden=(3,)))
        if options.size == 9
        else beam_search(each, 4, options, start_id=1, eos_id=0)
        for each in (model, Ensemble([model]))  # the second has no way of its own
    ]
    for several in zip(*answers, strict=True):
        (found, expected) = ([h.ids for h in one] for one in several)
        assert found == expected
        assert [h.log_p for h in several[0]] == pytest.approx([h.log_p for h in several[1]])
