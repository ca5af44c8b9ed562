"""Averages of weights over updates, and evaluation with the averaged weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from penstock.models.mode import evaluating

__all__ = ["AveragedSGD", "ExponentialAverage", "assign", "evaluation", "observe"]


@torch.no_grad()
def assign(weights: list[Tensor], values: list[Tensor]) -> None:
    """Copy in place: a weight may be a view or be shared."""
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


class AveragedSGD(torch.optim.SGD):
    """SGD that starts averaging its weights when validation stops improving (NT-ASGD).

        average = (w_T + ... + w_k) / (k - T + 1)

    where T is the update at which the validation loss was above the best of all evaluations but
    the last ``nonmono``.

    References:
        Merity, Keskar & Socher 2017, algorithm 1.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, *, nonmono: int = 5, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        for group in self.param_groups:
            group.update(nonmono=nonmono, losses=[], averaged=0)

    def observe(self, loss: float) -> None:
        """Take note of a validation loss, and start averaging when it is time."""
        for group in self.param_groups:
            losses, nonmono = group["losses"], group["nonmono"]
            stalled = len(losses) > nonmono and loss > min(losses[:-nonmono])
            losses.append(loss)
            if stalled and not group["averaged"]:
                group["averaged"] = 1
                for weight in group["params"]:
                    self.state[weight]["average"] = weight.detach().clone()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of SGD; once started, the new weights enter the average."""
        loss = super().step(closure)
        for group in self.param_groups:
            if group["averaged"]:
                group["averaged"] += 1
                for weight in group["params"]:
                    average = self.state[weight]["average"]
                    average.add_(weight - average, alpha=1 / group["averaged"])
        return loss

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The model has the average for its weights inside, and its own bits again after."""
        weights = [w for group in self.param_groups if group["averaged"] for w in group["params"]]
        with _replaced(weights, [self.state[weight]["average"] for weight in weights]):
            yield


class ExponentialAverage:
    """An average that forgets: after every update,

        average <- d * average + (1 - d) * weights,      d = min(decay, (1 + n) / (10 + n))

    after n updates, so that it is not that of the start for long.

    Args:
        weights: those of the model.
        decay: in [0, 1); the average is over about 1 / (1 - decay) updates.
    """

    def __init__(self, weights: Iterable[Tensor], decay: float) -> None:
        self.weights, self.decay, self.updates = list(weights), decay, 0
        self.average = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Let the present weights enter."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for average, weight in zip(self.average, self.weights, strict=True):
            average.lerp_(weight, 1 - decay)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The model has the average for its weights inside, and its own bits again after."""
        with _replaced(self.weights, self.average):
            yield

    def state_dict(self) -> dict[str, Any]:
        """The average, and how often weights entered."""
        return {"average": self.average, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        assign(self.average, state["average"])
        self.updates = state["updates"]


def observe(optimiser: Optimizer, loss: float) -> None:
    """Tell an optimiser that listens the validation loss, in nats per token."""
    if isinstance(optimiser, AveragedSGD):
        optimiser.observe(loss)


@contextmanager
def evaluation(
    model: nn.Module, optimiser: Optimizer, average: ExponentialAverage | None = None
) -> Iterator[None]:
    """Evaluation mode, no gradients, and the averaged weights where there are any."""
    averaging = average or (optimiser if isinstance(optimiser, AveragedSGD) else None)
    averaged = averaging.averaged_weights() if averaging else nullcontext()
    with evaluating(model), torch.no_grad(), averaged:
        yield


@contextmanager
def _replaced(weights: list[Tensor], values: list[Tensor]) -> Iterator[None]:
    """Weights have other values inside, and their own bits again after."""
    own = [weight.detach().clone() for weight in weights]
    assign(weights, values)
    try:
        yield
    finally:
        assign(weights, own)
