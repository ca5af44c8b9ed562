"""One update of the weights: loss, gradient, clipping, step, with a stop before anything breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from penstock.engines.precision import products_in
from penstock.errors import PenstockError
from penstock.training import distributed
from penstock.training.clip import NamedGradients, clip_each, clip_norm, clip_value, global_norm
from penstock.training.optimise import needs_closure
from penstock.training.randomness import random_state, restore_random_state
from penstock.training.settings import TrainingSettings
from penstock.training.task import Task

__all__ = ["Diverged", "Update", "update"]


class Diverged(PenstockError):
    """A loss, a gradient or a weight is no longer a finite number."""


class Update(NamedTuple):
    """What one update measured before it changed the weights.

    Attributes:
        loss: mean loss per token, in nats.
        tokens: how many tokens that is.
        norm: joint norm of the gradient before clipping.
        norms: norm of each gradient before clipping, when asked for.
    """

    loss: float
    tokens: int
    norm: float
    norms: dict[str, float]


def update(
    task: Task,
    index: int,
    optimiser: Optimizer,
    settings: TrainingSettings,
    gradients: NamedGradients,
    *,
    detailed: bool = False,
) -> Update:
    """Do update ``index`` of the epoch.

    Optimisers that search (L-BFGS, conjugate gradient) see the same data, carried state and random
    numbers at each of their evaluations; their gradients are not clipped.

    Raises:
        Diverged: when loss or gradient is not finite (the weights are as before the update), or a
            search has left the finite numbers.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    results: list[Update] = []

    def evaluate() -> float:
        optimiser.zero_grad()
        with products_in(settings.precision):
            loss, tokens = task.loss(index)
            (loss * settings.loss_scale).backward()
        _coalesce(weights)
        value, tokens = distributed.summed(weights, loss.item(), tokens)
        if not results:
            norm = global_norm([w.grad for w in weights if w.grad is not None])
            norms = {name: global_norm([g]) for name, g in gradients().items()} if detailed else {}
            results.append(Update(_finite("loss", value), tokens, norm, norms))
            _finite("gradient norm", norm)
        return value * settings.loss_scale

    if needs_closure(optimiser):
        optimiser.step(_repeatable(task, evaluate))
        _finite("norm of the weights", global_norm([weight.detach() for weight in weights]))
    else:
        evaluate()
        grads = [w.grad for w in weights if w.grad is not None]
        _clip(grads, settings, gradients, results[0].norm)
        optimiser.step()
    return results[0]


def _clip(
    grads: list[Tensor], settings: TrainingSettings, gradients: NamedGradients, norm: float
) -> None:
    """By value, then each on its own, then all together, as far as the settings ask for it."""
    changed = settings.clip_value or settings.clip_per_parameter
    if settings.clip_value:
        clip_value(grads, settings.clip_value)
    if settings.clip_per_parameter:
        clip_each(gradients(), settings.clip_per_parameter)
    if settings.clip_norm:
        clip_norm(grads, settings.clip_norm, None if changed else norm)


def _coalesce(weights: list[Tensor]) -> None:
    """Let every row of a sparse gradient be there once, so that its entries can be clipped."""
    for weight in weights:
        if weight.grad is not None and weight.grad.is_sparse:
            # PyTorch's Adagrad makes sparse tensors of its own, and warns unless this is said.
            torch.sparse.check_sparse_tensor_invariants.disable()
            weight.grad = weight.grad.coalesce()


def _repeatable(task: Task, evaluate: Callable[[], float]) -> Callable[[], float]:
    """The same function of the weights each time it is called."""
    carry = {name: tensor.clone() for name, tensor in task.carry().items()}
    state = random_state()

    def closure() -> float:
        task.restore({name: tensor.clone() for name, tensor in carry.items()})
        restore_random_state(state)
        with torch.enable_grad():
            return evaluate()

    return closure


def _finite(what: str, value: float) -> float:
    if not math.isfinite(value):
        raise Diverged(f"expected a finite {what}, got {value}")
    return value
