"""Averages of weights: over updates, and over the best epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from penstock import storage
from penstock.training import checkpoint as files
from penstock.training.averaged import ExponentialAverage, evaluation
from penstock.training.log import METRICS, read
from tests.training.toy import SETTINGS, train


def test_the_average_forgets_as_its_definition_says():
    weight = nn.Parameter(torch.zeros(1, dtype=torch.double))
    average, expected = ExponentialAverage([weight], 0.3), 0.0
    for number, value in enumerate((1.0, 5.0, -2.0, 4.0)):
        with torch.no_grad():
            weight.fill_(value)
        average.update()
        decay = min(0.3, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value
        assert average.average[0].item() == pytest.approx(expected)


def test_evaluation_sees_the_average_and_training_its_own_weights():
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    average = ExponentialAverage(model.parameters(), 0.5)
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    with evaluation(model, opt, average):
        assert torch.equal(model.weight, before)
        assert not model.training
    assert torch.equal(model.weight, before + 1)
    assert model.training


def test_a_run_with_averages_goes_on_with_the_same_bits(tmp_path):
    settings = replace(SETTINGS, ema=0.9, average=2, epochs=5, schedule="constant")
    whole, _ = train(tmp_path / "whole", settings)
    for epochs in (2, 3, 5):
        parts, _ = train(tmp_path / "parts", replace(settings, epochs=epochs))
    logs = [(tmp_path / run / METRICS).read_bytes() for run in ("whole", "parts")]
    assert logs[0] == logs[1]
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_mean_of_the_best_epochs_is_what_is_left(tmp_path):
    model, summary = train(tmp_path, replace(SETTINGS, average=3, epochs=6, lr=0.3))
    losses = [r["valid_loss"] for r in read(tmp_path / METRICS) if r["kind"] == "epoch"]
    best = sorted(range(6), key=losses.__getitem__)[:3]
    assert summary.best_epoch == best[0] + 1
    kept = [storage.load(tmp_path / f"best.{epoch + 1}.safetensors")[0] for epoch in best]
    assert len(list(tmp_path.glob("best.*.safetensors"))) <= 4
    for name, tensor in files.model_tensors(model).items():
        mean = torch.stack([weights[name] for weights in kept]).mean(0)
        torch.testing.assert_close(tensor, mean)


def test_the_exponential_average_is_what_is_chosen_and_kept(tmp_path):
    plain, _ = train(tmp_path / "plain")
    averaged, _ = train(tmp_path / "averaged", replace(SETTINGS, ema=0.8))
    ends = [files.load_latest(tmp_path / run, pytest.fail) for run in ("plain", "averaged")]
    for name, weight in ends[0]["model"].items():
        assert torch.equal(weight, ends[1]["model"][name])  # training itself is not changed
    assert not torch.equal(plain.embedding.weight, averaged.embedding.weight)
