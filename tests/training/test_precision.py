"""Training with products in bfloat16."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from penstock.engines.precision import products_in
from penstock.models.language import LanguageModel
from penstock.training import fit, seed_everything
from tests.layers.test_bfloat16 import needs_units
from tests.training.toy import SETTINGS, ToyModel, ToyTask


class Watched(ToyTask):
    """Keeps how products are made where losses are computed and where it validates."""

    def __init__(self, model):
        super().__init__(model)
        self.seen = {"loss": set(), "validate": set()}

    def loss(self, update):
        self.seen["loss"].add(torch.backends.mkldnn.matmul.fp32_precision)
        return super().loss(update)

    def validate(self):
        self.seen["validate"].add(torch.backends.mkldnn.matmul.fp32_precision)
        return super().validate()


@pytest.mark.parametrize(
    ("precision", "switch"),
    [("float32", "none"), pytest.param("bfloat16", "bf16", marks=needs_units)],
)
def test_updates_are_rounded_and_validation_is_not(precision, switch, tmp_path):
    seed_everything(1)
    task = Watched(model := ToyModel())
    fit(task, model, replace(SETTINGS, epochs=1, precision=precision), tmp_path)
    assert task.seen == {"loss": {switch}, "validate": {"none"}}
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


@needs_units
def test_gradients_of_a_language_model_are_near_those_of_float32():
    model = LanguageModel(500, "lstm", embedding_size=64, hidden_size=96, num_layers=2)
    ids = torch.randint(500, (20, 8))
    gradients = []
    for precision in ("float32", "bfloat16"):
        model.zero_grad()
        with products_in(precision):
            model.loss(model(ids)[0], ids).backward()
        gradients.append([weight.grad for weight in model.parameters()])
    for exact, rounded in zip(*gradients, strict=True):
        assert 0 < (exact - rounded).norm() < 0.02 * exact.norm()
