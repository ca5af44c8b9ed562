"""Averaged SGD as Merity et al. start it, and evaluation with the averaged weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["AveragedSGD", "assign", "evaluation", "observe"]


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
        own = [weight.detach().clone() for weight in weights]
        assign(weights, [self.state[weight]["average"] for weight in weights])
        try:
            yield
        finally:
            assign(weights, own)


def observe(optimiser: Optimizer, loss: float) -> None:
    """Tell an optimiser that listens the validation loss, in nats per token."""
    if isinstance(optimiser, AveragedSGD):
        optimiser.observe(loss)


@contextmanager
def evaluation(model: nn.Module, optimiser: Optimizer) -> Iterator[None]:
    """Evaluation mode, no gradients, and the averaged weights where there are any."""
    model.eval()
    with torch.no_grad():
        if isinstance(optimiser, AveragedSGD):
            with optimiser.averaged_weights():
                yield
        else:
            yield
    model.train()
