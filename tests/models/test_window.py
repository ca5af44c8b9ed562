"""The window network: lecture 002's equation, its state, its mistakes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from penstock.cells import as_program
from penstock.errors import ConfigError
from penstock.models import store
from penstock.models.window import WindowModel

OPTIONS = [
    {"context": 1},
    {"context": 2, "tied": True, "embedding_size": 5},
    {"context": 4, "direct": True},
    {"context": 3, "direct": True, "tied": True, "projection": 4},
    {"context": 3, "num_layers": 2, "hidden_size": [5, 7], "dropout": 0.5},
    {"context": 3, "cell": "h = relu(W @ x + b)", "output": "hierarchical"},
]


def model_with(options):
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 5}
    return WindowModel(11, **(sizes | options)).double().eval()


def words(*shape):
    return torch.randint(0, 11, shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("direct", [False, True])
def test_equation_4_as_the_lecture_writes_it(direct):
    """y = softmax(W2 tanh(W1 x + b1) + W3 x + b3), word by word."""
    model = model_with({"context": 3, "direct": direct})
    w, out = model.recurrent.weights(), model.output
    w2, w3 = out.weight[:, :5], out.weight[:, 5:]
    ids = words(7)
    hidden, _ = model(ids[:-1, None])
    losses = model.losses(hidden, ids[1:, None])[:, 0]
    for t in range(2, 6):
        x = torch.cat([model.embedding.weight[word] for word in ids[t - 2 : t + 1]])
        logits = w2 @ torch.tanh(w["W"] @ x + w["b"]) + out.bias
        if direct:
            logits = logits + w3 @ x
        y = torch.softmax(logits, 0)
        assert torch.allclose(-y[ids[t + 1]].log(), losses[t])


def test_word_vectors_before_the_first_word_are_zero():
    model = model_with({"context": 3, "direct": True})
    hidden, _ = model(words(1, 1))
    assert (hidden[0, 0, 5:13] == 0).all()
    assert torch.equal(hidden[0, 0, 13:], model.embedding.weight[words(1, 1)[0, 0]])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_and_pieces_give_what_the_whole_gives(options):
    model, ids = model_with(options), words(7, 3)
    whole, last = model(ids[:-1])
    losses = model.losses(whole, ids[1:])
    state, pieces = None, []
    for piece in ids[:-1].split([1, 3, 2]):
        hidden, state = model(piece, state)
        pieces.append(hidden)
    assert torch.allclose(torch.cat(pieces), whole)
    assert torch.equal(state.words, last.words)
    state = model.start(3)
    for t in range(6):
        log_p, state = model.step(ids[t], state)
        assert torch.allclose(log_p.exp().sum(-1), torch.ones(3, dtype=torch.double))
        assert torch.allclose(-log_p.gather(1, ids[t + 1, :, None])[:, 0], losses[t])


@pytest.mark.parametrize("context", [1, 2, 4, 9])
def test_lengths_give_the_state_of_the_shorter(context):
    model, ids = model_with({"context": context}), words(6, 4)
    lengths = torch.tensor([6, 1, 3, 0])
    _, state = model(ids, lengths=lengths)
    for b, length in enumerate(lengths):
        alone = model.start(1) if length == 0 else model(ids[:length, b : b + 1])[1]
        assert torch.equal(state.words[:, b : b + 1], alone.words)


@pytest.mark.parametrize("context", [1, 2, 4, 9])
def test_nothing_is_seen_beyond_a_reset(context):
    model, ids = model_with({"context": context, "direct": True}), words(8, 2)
    reset = torch.zeros(8, 2, dtype=torch.bool)
    reset[3, 0] = reset[0, 1] = reset[7, 1] = True
    before = model(words(5, 2))[1]
    hidden, state = model(ids, before, reset=reset)
    for b, starts in enumerate(([0, 3, 8], [0, 7, 8])):
        old = type(before)(before.words[:, b : b + 1]) if b == 0 else None
        parts = []
        for start, stop in pairwise(starts):
            part, last = model(ids[start:stop, b : b + 1], old if start == 0 else None)
            parts.append(part)
        assert torch.allclose(torch.cat(parts)[:, 0], hidden[:, b])
        assert torch.equal(last.words[:, 0], state.words[:, b])


def test_gradient_reaches_every_word_of_the_window_and_no_other():
    model = model_with({"context": 3})
    ids = torch.arange(6)[:, None]
    hidden, _ = model(ids)
    model.losses(hidden[-1:], torch.tensor([[9]])).sum().backward()
    touched = model.embedding.weight.grad.abs().sum(-1) > 0
    assert touched.nonzero()[:, 0].tolist() == [3, 4, 5]


def test_values_of_the_layers_by_step():
    model, ids = model_with({"context": 2, "num_layers": 2}), words(4, 3)
    hidden, _, layers = model(ids, trace=True)
    assert torch.equal(layers[1]["h"], hidden)
    x = torch.cat([F.embedding(ids[:-1], model.embedding.weight), model.embedding(ids[1:])], -1)
    w = model.recurrent.weights(0)
    assert torch.allclose(layers[0]["h"][1:], torch.tanh(x @ w["W"].T + w["b"]))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_saved_and_loaded_bit_for_bit(options, tmp_path):
    model = model_with(options).float()
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    loaded = store.load_model(tmp_path)
    assert torch.equal(loaded(words(4, 2))[0], model(words(4, 2))[0])
    assert loaded.config() == model.config()
    assert loaded.program == model.program
    assert isinstance(loaded, WindowModel)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 0}, "expected context >= 1, got context=0"),
        ({"cell": as_program("lstm")}, "without a state, got 'lstm', which reads h, c"),
        ({"embedding_size": 0}, "WindowModel: expected embedding_size >= 1"),
        ({"tied": True, "direct": True}, "projection=4"),
    ],
    ids=str,
)
def test_impossible_models(options, message):
    with pytest.raises(ConfigError, match=message):
        model_with(options)
