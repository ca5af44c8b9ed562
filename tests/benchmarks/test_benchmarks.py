"""The benchmarks run, at sizes that take no time; what they measure is not looked at."""

from __future__ import annotations

import torch

from benchmarks import cost, translation
from benchmarks.layers import inputs, training
from penstock.layers.recurrent import Recurrent
from penstock.models.translator import Translator


def test_shares_of_a_training_step():
    found = cost.shares("lstm", (2, 3, 4), 1)
    assert {"loops", "packing", "gradient of U"} < found.keys()
    assert 0 < found["gradient of U"] < 1


def test_curves_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "GRID", {"T": [1, 2], "B": [1, 2]})
    monkeypatch.setattr(cost, "BASE", {"T": 2, "B": 2, "H": 3, "L": 1, "threads": 1})
    threads = torch.get_num_threads()
    try:
        cost.draw(cost.curves(1, 1), tmp_path / "cost.png")
    finally:
        torch.set_num_threads(threads)
    assert (tmp_path / "cost.png").stat().st_size > 1000


def test_layers_train():
    xs = inputs(2, 3, 4)
    layer = Recurrent("gru", 4, 4)
    training(layer, xs)()
    assert layer.stack[0].flat.grad.any()


def test_translators_learn_and_search():
    batch = translation.made_batch(20, 3)
    ours = Translator(20, 20, "gru", embedding_size=4, hidden_size=5)
    plain = translation.Plain(20, 4, 5)
    for model in (ours, plain):
        translation.training(model, batch)()
        assert any(weight.grad is not None for weight in model.parameters())
        translation.decoding(model.eval(), batch, 2)()
    assert plain.translate(*batch[:2], 2).shape == (3, translation.STEPS)
