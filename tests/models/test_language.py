"""The language model: its probabilities, its store, its options."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penstock.cells import as_program
from penstock.equations import transform
from penstock.errors import ConfigError, DataError
from penstock.layers.output import Softmax
from penstock.models import store
from penstock.models.language import LanguageModel

OPTIONS = [
    {},
    {"cell": "gru", "num_layers": 2},
    {"cell": "elman", "hidden_size": [5, 7], "num_layers": 2},
    {"tied": True, "embedding_size": 6, "hidden_size": 6},
    {"tied": True, "embedding_size": 4, "hidden_size": 6, "projection": 4},
    {"learn_state": True, "dropout": 0.5},
    {"cell": "lstm-projection", "sizes": {"P": 3}},
    {"cell": "h = tanh(W @ x + U @ h[t-1] + b)"},
    {"cell": "taugru"},
    {"embedding_dropout": 0.1, "output_dropout": 0.4},
    {"activation_penalty": 2.0, "slowness_penalty": 1.0},
]


def model_with(options):
    torch.manual_seed(0)
    sizes = {"embedding_size": 4, "hidden_size": 5}
    return LanguageModel(11, **(sizes | options)).eval()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_give_the_probabilities_of_the_sequence(options):
    model = model_with(options)
    ids = torch.randint(0, 11, (6, 3))
    hidden, _ = model(ids[:-1])
    losses = model.losses(hidden, ids[1:])
    state = model.start(3)
    for t in range(5):
        log_p, state = model.step(ids[t], state)
        assert torch.allclose(log_p.exp().sum(-1), torch.ones(3))
        assert torch.allclose(-log_p.gather(1, ids[t + 1, :, None])[:, 0], losses[t], atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_saved_and_loaded_bit_for_bit(options, tmp_path):
    model = model_with(options)
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    loaded = store.load_model(tmp_path)
    ids = torch.randint(0, 11, (4, 2))
    assert torch.equal(loaded(ids)[0], model(ids)[0])
    assert loaded.config() == model.config()
    assert loaded.program == model.program


def test_regularised_cell_survives_the_store(tmp_path):
    program = transform.zoneout(transform.weight_drop(as_program("lstm"), 0.5), {"c": 0.1})
    model = model_with({"cell": program})
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    assert store.load_model(tmp_path).program == program


def test_equals_the_same_model_in_plain_pytorch():
    """Embedding, nn.LSTM and a linear layer with our weights give the same losses."""
    model = model_with({"num_layers": 2})
    lstm = model.recurrent.to_torch()
    ids = torch.randint(0, 11, (7, 2))
    ys, _ = lstm(F.embedding(ids[:-1], model.embedding.weight))
    logits = F.linear(ys, model.output.weight, model.output.bias)
    expected = nn.CrossEntropyLoss(reduction="none")(logits.flatten(0, 1), ids[1:].flatten())
    assert torch.allclose(model.losses(model(ids[:-1])[0], ids[1:]).flatten(), expected, atol=1e-6)


def test_tied_output_is_the_embedding():
    model = model_with({"tied": True, "embedding_size": 6, "hidden_size": 6})
    names = [name for name, _ in model.named_parameters()]
    assert names.count("embedding.weight") == 1
    assert "output.weight" not in names
    with torch.no_grad():
        model.embedding.weight.zero_()
    log_p, _ = model.step(torch.tensor([3]), model.start(1))
    assert torch.allclose(log_p.exp(), torch.full((1, 11), 1 / 11))


def test_reset_uniform_keeps_the_cells_own_start_values():
    model = model_with({"cell": "lstm-forget-bias"})
    model.reset_uniform(0.01)
    weights = model.recurrent.weights()
    assert (weights["b_f"] == 1).all()
    assert weights["U_f"].abs().max() <= 0.01 < weights["b_f"].min()
    assert model.embedding.weight.abs().max() <= 0.01


def test_penalties_of_what_the_output_reads():
    """alpha mean(h²) for every real step, beta mean((h[t] - h[t-1])²) for every real pair."""
    plain, model = model_with({}), model_with({"activation_penalty": 2.0, "slowness_penalty": 3.0})
    hidden = torch.tensor([[1.0, 2.0], [4.0, 2.0], [0.0, 8.0]])[..., None].expand(3, 2, 5)
    targets = torch.tensor([[1, 2], [3, 4], [5, -1]])
    activation = 1 + 4 + 16 + 4 + 0
    slowness = (4 - 1) ** 2 + (2 - 2) ** 2 + (0 - 4) ** 2
    added = model.loss(hidden, targets) - plain.loss(hidden, targets)
    assert added.item() == pytest.approx(2 * activation + 3 * slowness, rel=1e-5)
    assert torch.equal(model.losses(hidden, targets), plain.losses(hidden, targets))


def test_dropped_tokens_and_units_are_the_same_at_every_step():
    model = model_with({"embedding_dropout": 0.5, "output_dropout": 0.5}).train()
    ids = torch.arange(11).repeat(4, 1)
    dropped = (model.vectors(ids) == 0).all(-1)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert 0 < dropped[0].sum() < 11
    hidden, _ = model(ids)
    assert torch.equal(hidden == 0, (hidden[:1] == 0).expand_as(hidden))
    assert not torch.equal(hidden[:, 0] == 0, hidden[:, 1] == 0)


@pytest.mark.parametrize("rows", [1, 3, 300])
def test_blockwise_loss_is_the_summed_loss(rows, monkeypatch):
    monkeypatch.setattr("penstock.layers.output.full.LOGITS", rows * 9)
    torch.manual_seed(1)
    output = Softmax(5, 9, projection=4).double()
    h = torch.randn(20, 5, dtype=torch.double, requires_grad=True)
    targets = torch.randint(-1, 9, (20,))
    inputs = [h, *output.parameters()]
    whole = torch.autograd.grad(output.losses(h, targets).sum() * 0.3, inputs)
    blocks = torch.autograd.grad(output.loss(h, targets) * 0.3, inputs)
    assert output.loss(h, targets).item() == pytest.approx(output.losses(h, targets).sum().item())
    for a, b in zip(whole, blocks, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tied": True, "embedding_size": 4, "hidden_size": 5}, "projection=4"),
        ({"embedding_size": 0}, "embedding_size >= 1"),
        ({"hidden_size": 0}, "hidden_size >= 1"),
        ({"cell": "lstn"}, "Did you mean 'lstm'"),
    ],
    ids=str,
)
def test_impossible_models(options, message):
    with pytest.raises(ConfigError, match=message):
        model_with(options)


def _damage(folder, what):
    description, weights = folder / "model.json", folder / "weights.safetensors"
    match what:
        case "no folder":
            return folder / "elsewhere"
        case "no description":
            description.unlink()
        case "no json":
            description.write_text("{")
        case "other version":
            content = json.loads(description.read_text()) | {"format": 99}
            description.write_text(json.dumps(content))
        case "other model":
            content = json.loads(description.read_text())
            content["model"]["hidden_size"] = [6]
            description.write_text(json.dumps(content))
        case "no weights":
            weights.unlink()
        case "cut weights":
            weights.write_bytes(weights.read_bytes()[:-9])
        case "flipped byte":
            data = bytearray(weights.read_bytes())
            data[-5] ^= 1
            weights.write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "what",
    [
        "no folder",
        "no description",
        "no json",
        "other version",
        "other model",
        "no weights",
        "cut weights",
        "flipped byte",
    ],
)
def test_a_damaged_folder_is_told_in_one_line(what, tmp_path):
    model = model_with({})
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    with pytest.raises(DataError) as caught:
        store.load_model(_damage(tmp_path, what))
    assert "\n" not in str(caught.value)
