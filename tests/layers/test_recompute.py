"""Recomputation in training: the same results from fewer kept values."""

from __future__ import annotations

import pytest
import torch

from penstock.cells import CELLS
from penstock.equations import transform
from penstock.layers.recurrent import Recurrent
from tests.tolerances import assert_close

T, B, D, H = 17, 3, 4, 5
RAGGED = {"lengths": torch.tensor([17, 6, 0])}
RESETS = {"reset": torch.arange(T * B).view(T, B) % 5 == 0}


def pair(cell, **options):
    """A layer that keeps all values, and one with the same weights that does not."""
    layers = [Recurrent(cell, D, H, recompute=again, **options).double() for again in (False, True)]
    layers[1].load_state_dict(layers[0].state_dict())
    return layers


def results(layer, xs, **given):
    """Outputs, last states, and the gradients of inputs and weights."""
    xs = xs.clone().requires_grad_()
    torch.manual_seed(3)
    ys, state = layer(xs, **given)
    (ys.square().sum() + sum(part.sum() for part in state)).backward()
    return [ys, *state, xs.grad, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "lstm-layernorm", "taugru", "indrnn"])
@pytest.mark.parametrize("given", [{}, RAGGED, RESETS, RAGGED | RESETS])
def test_same_gradients(name, given):
    options = {"num_layers": 2, "bidirectional": True, "learn_state": True}
    xs = torch.randn(T, B, D, dtype=torch.float64)
    kept, again = (results(layer, xs, **given) for layer in pair(name, **options))
    for mine, theirs in zip(again, kept, strict=True):
        assert_close(mine, theirs, "float64")


def test_masks_of_noise_are_the_same_on_the_way_back():
    program = transform.zoneout(CELLS["lstm"].program(), {"h": 0.3, "c": 0.2})
    xs = torch.randn(T, B, D, dtype=torch.float64)
    kept, again = (results(layer, xs) for layer in pair(program))
    for mine, theirs in zip(again, kept, strict=True):
        assert_close(mine, theirs, "float64")


@pytest.mark.parametrize("engine", ["native", "torch", "reference"])
def test_fewer_values_are_kept(engine):
    numbers = []
    for layer in pair("lstm", engine=engine):
        kept = {}

        def keep(tensor, kept=kept):
            kept[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            layer(torch.randn(400, 2, D, dtype=torch.float64))
        numbers.append(sum(kept.values()))
    assert numbers[1] < numbers[0] / 4


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_short_sequences(steps):
    xs = torch.randn(steps, B, D, dtype=torch.float64)
    kept, again = (results(layer, xs) for layer in pair("gru"))
    for mine, theirs in zip(again, kept, strict=True):
        assert_close(mine, theirs, "float64")


def test_plan_says_so():
    assert "the rest run again" in Recurrent("gru", D, H, recompute=True).plan()
