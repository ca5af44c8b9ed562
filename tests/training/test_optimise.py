"""Optimisers: each reaches the minimum, the trigger of NT-ASGD, and what their state is worth."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from penstock.errors import ConfigError
from penstock.training.averaged import AveragedSGD, evaluation
from penstock.training.optimise import OPTIMISERS, optimiser

RATES = {"adagrad": 0.5, "rmsprop": 0.05, "adam": 0.1, "adamw": 0.1, "lbfgs": 1.0}


def bowl(weight):
    """A quadratic with its minimum, 0, at (1, -2)."""
    return (weight[0] - 1) ** 2 + 3 * (weight[1] + 2) ** 2


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_finds_the_minimum_of_a_quadratic(name):
    weight = nn.Parameter(torch.tensor([4.0, 3.0]))
    opt = optimiser(name, [weight], RATES.get(name, 0.05))

    def closure():
        opt.zero_grad()
        loss = bowl(weight)
        loss.backward()
        return loss.item()

    for _ in range(3 if name in ("lbfgs", "cg") else 300):
        opt.step(closure)
    assert bowl(weight).item() < 1e-2


@pytest.mark.parametrize("name", ["lbfgs", "cg"])
def test_searches_solve_a_small_quadratic_exactly_in_one_step(name):
    weight = nn.Parameter(torch.tensor([4.0, 3.0], dtype=torch.float64))
    storage = weight.data_ptr()
    opt = optimiser(name, [weight], 1.0)

    def closure():
        opt.zero_grad()
        loss = bowl(weight)
        loss.backward()
        return loss.item()

    opt.step(closure)
    torch.testing.assert_close(
        weight.detach(), torch.tensor([1.0, -2.0]).double(), atol=1e-5, rtol=0
    )
    assert weight.data_ptr() == storage  # weights may be views: they are written in place


def test_momentum_keeps_the_share_asked_for():
    """By hand, gradient 1 each time: v = 1, then 0.5 + 1 = 1.5; w = 0 - 0.1 - 0.15."""
    weight = nn.Parameter(torch.zeros(1))
    opt = optimiser("momentum", [weight], 0.1, momentum=0.5)
    for _ in range(2):
        weight.grad = torch.ones(1)
        opt.step()
    assert weight.item() == pytest.approx(-0.25)


def test_nt_asgd_starts_when_the_loss_is_above_the_best_but_for_the_last_ones():
    """nonmono 2: at the fourth loss, 5 > min of all but the last two (4): averaging starts."""
    weight = nn.Parameter(torch.zeros(1))
    opt = AveragedSGD([weight], lr=1.0, nonmono=2)
    began = []
    for loss in [4.0, 6.0, 7.0, 5.0]:
        opt.observe(loss)
        began.append(opt.param_groups[0]["averaged"] > 0)
    assert began == [False, False, False, True]


@pytest.mark.parametrize("losses", [[4.0, 3.0, 2.0, 1.0, 0.5], [5.0, 6.0, 7.0], [4.0, 9, 9, 4.0]])
def test_nt_asgd_waits_while_the_loss_improves_or_is_too_young(losses):
    opt = AveragedSGD([nn.Parameter(torch.zeros(1))], lr=1.0, nonmono=2)
    for loss in losses:
        opt.observe(loss)
    assert opt.param_groups[0]["averaged"] == 0


def test_averaged_weights_are_the_mean_from_the_trigger_on_and_only_inside():
    """Gradient -1, rate 1: weights 1 at the trigger, then 2, 3, 4; their mean is 2.5."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    opt = AveragedSGD(model.parameters(), lr=1.0, nonmono=1)
    for step in range(4):
        model.weight.grad = -torch.ones(1, 1)
        opt.step()
        if step == 0:
            for loss in (1.0, 2.0, 3.0):
                opt.observe(loss)
    assert model.weight.item() == 4.0
    with evaluation(model, opt):
        assert model.weight.item() == 2.5
        assert not model.training
    assert model.weight.item() == 4.0
    assert model.training


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'adam'"):
        optimiser("adm", [nn.Parameter(torch.zeros(1))], 0.1)
    with pytest.raises(ConfigError, match="expected parameters to train"):
        optimiser("adam", [], 0.1)
    with pytest.raises(ConfigError, match=r"weight_decay=0\.1"):
        optimiser("cg", [nn.Parameter(torch.zeros(1))], 0.1, weight_decay=0.1)
