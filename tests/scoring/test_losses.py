"""Evaluation: static, by sentence, with a cache, dynamic."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.scoring.losses import Cache, Dynamic, perplexity, token_distributions, token_losses
from penstock.text import Corpus, Tokeniser

LINES = ["a rose is a rose", "is a rose", "a is", "rose rose rose is a"]


@pytest.fixture(scope="module")
def tokeniser():
    return Tokeniser.from_lines(LINES)


@pytest.fixture(scope="module")
def corpus(tokeniser):
    return Corpus.from_lines(LINES, tokeniser)


@pytest.fixture
def model(tokeniser):
    torch.manual_seed(0)
    return LanguageModel(tokeniser.vocab_size, "lstm", embedding_size=4, hidden_size=6).double()


def by_steps(model, ids, eos):
    """Losses one token at a time, from the model's own step."""
    state, last, losses = model.start(1), eos, []
    for symbol in ids:
        log_p, state = model.step(torch.tensor([last]), state)
        losses.append(-log_p[0, int(symbol)].item())
        last = int(symbol)
    return np.array(losses)


@pytest.mark.parametrize("steps", [1, 3, 256])
def test_every_token_is_predicted_once_from_all_before(steps, model, corpus, tokeniser):
    expected = by_steps(model, corpus.ids, tokeniser.eos_id)
    found = token_losses(model, corpus.ids, tokeniser.eos_id, steps=steps)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_left_in_its_mode(training, model, corpus, tokeniser):
    model.train(training)
    token_losses(model, corpus.ids, tokeniser.eos_id)
    next(token_distributions(model, corpus.ids, tokeniser.eos_id))
    assert model.training is training
    assert model.output.training is training


def test_sentences_alone(model, corpus, tokeniser):
    expected = 0.0
    for line in LINES:
        ids = [*tokeniser.encode(line), tokeniser.eos_id]
        expected += by_steps(model, ids, tokeniser.eos_id).sum()
    found = perplexity(model, tokeniser, corpus, alone=True)
    assert found.nats == pytest.approx(expected)
    assert found.tokens == len(corpus)
    assert found.context == "sentence"


@pytest.mark.parametrize("steps", [1, 4, 256])
def test_cache_as_grave_et_al_define_it(steps, model, corpus, tokeniser):
    cache = Cache(size=5, theta=0.7, weight=0.3)
    ids, eos = corpus.ids.astype(int), tokeniser.eos_id
    inputs = torch.tensor([eos, *ids[:-1]])
    hidden = model(inputs[:, None])[0][:, 0].detach()
    static = token_losses(model, corpus.ids, eos)
    for t, loss in enumerate(token_losses(model, corpus.ids, eos, cache=cache, steps=steps)):
        window = range(max(0, t - 5), t)
        scores = [math.exp(0.7 * float(hidden[t] @ hidden[i])) for i in window]
        hits = sum(s for s, i in zip(scores, window, strict=True) if ids[i] == ids[t])
        p = math.exp(-static[t])
        if scores:
            p = 0.7 * p + 0.3 * hits / sum(scores)
        assert loss == pytest.approx(-math.log(p))


def test_dynamic_evaluation_by_hand(model, corpus, tokeniser):
    """Plain SGD after every piece, the state carried over; the model is left as it was."""
    before = copy.deepcopy(model.state_dict())
    dynamic = Dynamic(rate=0.5, steps=4, decay=0.1, clip=0.2)
    found = token_losses(model, corpus.ids, tokeniser.eos_id, dynamic=dynamic)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    adapted, state, expected = copy.deepcopy(model), None, []
    start = [parameter.detach().clone() for parameter in adapted.parameters()]
    ids = torch.from_numpy(corpus.ids.astype(np.int64))
    inputs = torch.cat([torch.tensor([tokeniser.eos_id]), ids[:-1]])
    for at in range(0, len(ids), 4):
        hidden, state = adapted(inputs[at : at + 4, None], state)
        losses = adapted.losses(hidden, ids[at : at + 4, None])
        expected.extend(losses[:, 0].tolist())
        state = type(state)(*(value.detach() for value in state))
        grads = torch.autograd.grad(losses.mean(), list(adapted.parameters()))
        norm = torch.sqrt(sum((g**2).sum() for g in grads))
        with torch.no_grad():
            for parameter, grad, old in zip(adapted.parameters(), grads, start, strict=True):
                parameter.sub_(0.5 * grad * min(1.0, 0.2 / float(norm)))
                parameter.add_(0.1 * (old - parameter))
    assert found == pytest.approx(expected, rel=1e-4)


def test_dynamic_with_rate_zero_is_static(model, corpus, tokeniser):
    static = token_losses(model, corpus.ids, tokeniser.eos_id)
    still = token_losses(model, corpus.ids, tokeniser.eos_id, dynamic=Dynamic(rate=0.0))
    assert still == pytest.approx(static)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cache(size=0),
        lambda: Cache(weight=1.0),
        lambda: Dynamic(steps=0),
        lambda: Dynamic(rate=-1.0),
    ],
)
def test_impossible_options(make):
    with pytest.raises(ConfigError, match="expected"):
        make()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number(value):
    with pytest.raises(ConfigError, match="theta >= 0"):
        Cache(theta=value)
    with pytest.raises(ConfigError, match="rate >= 0"):
        Dynamic(value)


def test_cache_needs_running_text(model, corpus, tokeniser):
    with pytest.raises(ConfigError, match="running text"):
        perplexity(model, tokeniser, corpus, alone=True, cache=Cache())


def test_the_signature_says_how_the_model_adapted(model, corpus, tokeniser):
    found = perplexity(model, tokeniser, corpus, cache=Cache(5), dynamic=Dynamic(0.1))
    assert "Cache(size=5" in found.signature
    assert "Dynamic(rate=0.1" in found.signature
    assert perplexity(model, tokeniser, corpus).signature.endswith("context: text")
