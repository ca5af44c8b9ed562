"""Clipping, with norms worked out by hand (3-4-5 and 6-8-10 triangles)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from penstock.training.clip import clip_each, clip_norm, clip_value, named_gradients


def gradients():
    return {"W": torch.tensor([[3.0, 0.0]]), "b": torch.tensor([4.0])}


@pytest.mark.parametrize(("threshold", "factor"), [(5.1, 1.0), (5.0, 1.0), (2.5, 0.5), (0.5, 0.1)])
def test_global_norm_scales_all_together(threshold, factor):
    grads = gradients()
    assert clip_norm(grads.values(), threshold) == 5.0
    torch.testing.assert_close(grads["W"], torch.tensor([[3.0, 0.0]]) * factor)
    torch.testing.assert_close(grads["b"], torch.tensor([4.0]) * factor)


def test_each_is_scaled_on_its_own():
    grads = gradients()
    assert clip_each(grads, 3.5) == {"W": 3.0, "b": 4.0}
    assert grads["W"].tolist() == [[3.0, 0.0]]
    assert grads["b"].tolist() == [3.5]


def test_value_cuts_every_entry():
    grads = {"W": torch.tensor([3.0, -4.0, 0.5])}
    assert clip_value(grads.values(), 1.0) == pytest.approx(math.sqrt(25.25))
    assert grads["W"].tolist() == [1.0, -1.0, 0.5]


def test_views_into_one_fused_gradient_are_clipped_in_place():
    fused = torch.tensor([3.0, 4.0, 6.0, 8.0])
    assert clip_each({"W": fused[:2], "U": fused[2:]}, 5.0) == {"W": 5.0, "U": 10.0}
    assert fused.tolist() == [3.0, 4.0, 3.0, 4.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_is_told_and_nothing_is_changed(bad):
    grads = [torch.tensor([1.0, bad]), torch.tensor([2.0])]
    assert not math.isfinite(clip_norm(grads, 1.0))
    assert grads[1].item() == 2.0


def test_zero_gradient_stays_zero():
    grad = torch.zeros(3)
    assert clip_norm([grad], 0.5) == 0.0
    assert grad.tolist() == [0.0, 0.0, 0.0]


def test_named_gradients_leave_out_weights_without_one():
    model = nn.Linear(2, 1)
    model.weight.grad = torch.ones(1, 2)
    assert list(named_gradients(model)()) == ["weight"]
