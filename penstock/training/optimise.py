"""The optimisers by name; PyTorch's and SciPy's, and averaged SGD as Merity et al. start it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector
from torch.optim import Optimizer

from penstock.errors import ConfigError, unknown

__all__ = [
    "OPTIMISERS",
    "AveragedSGD",
    "ConjugateGradient",
    "averaged_weights",
    "needs_closure",
    "observe",
    "optimiser",
]


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
        _assign(weights, [self.state[weight]["average"] for weight in weights])
        try:
            yield
        finally:
            _assign(weights, own)


@torch.no_grad()
def _assign(weights: list[Tensor], values: list[Tensor]) -> None:
    """Copy in place: a weight may be a view or be shared."""
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


class ConjugateGradient(Optimizer):
    """Nonlinear conjugate gradient (Polak-Ribiere, SciPy's ``CG``); each step is a whole search.

    For small problems: every step asks for the loss and the gradient of the same data many times.

    Args:
        max_iter: directions searched in one step, at least 1.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, *, max_iter: int = 20) -> None:
        super().__init__(params, {"lr": lr, "max_iter": max_iter})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Search from the present weights; ``closure`` fills the gradients and returns the loss."""
        assert closure is not None
        weights = [weight for group in self.param_groups for weight in group["params"]]
        start = parameters_to_vector(weights).detach().double().numpy()

        def assign(flat: np.ndarray) -> None:
            parts = torch.tensor(flat).split([weight.numel() for weight in weights])
            _assign(weights, [part.view_as(w) for part, w in zip(parts, weights, strict=True)])

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            assign(flat)
            loss = float(closure())
            parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
            return loss, parameters_to_vector(parts).double().numpy()

        options = {"maxiter": self.param_groups[0]["max_iter"]}
        with np.errstate(all="ignore"):
            found = minimize(evaluate, start, jac=True, method="CG", options=options)
        assign(found.x)
        return found.fun


@dataclass(frozen=True)
class _Options:
    momentum: float
    weight_decay: float
    nonmono: int
    max_iter: int


def _plain(kind: type[Optimizer]) -> Callable[[list[Tensor], float, _Options], Optimizer]:
    """One of PyTorch's optimisers with its own defaults."""
    return lambda weights, lr, o: kind(weights, lr=lr, weight_decay=o.weight_decay)  # type: ignore[call-arg]


OPTIMISERS: dict[str, Callable[[list[Tensor], float, _Options], Optimizer]] = {
    "sgd": _plain(torch.optim.SGD),
    "momentum": lambda weights, lr, o: torch.optim.SGD(
        weights, lr=lr, momentum=o.momentum, weight_decay=o.weight_decay
    ),
    "adagrad": _plain(torch.optim.Adagrad),
    "rmsprop": _plain(torch.optim.RMSprop),
    "adam": _plain(torch.optim.Adam),
    "adamw": _plain(torch.optim.AdamW),
    "asgd": lambda weights, lr, o: AveragedSGD(
        weights, lr, nonmono=o.nonmono, weight_decay=o.weight_decay
    ),
    "lbfgs": lambda weights, lr, o: torch.optim.LBFGS(
        weights, lr=lr, max_iter=o.max_iter, line_search_fn="strong_wolfe"
    ),
    "cg": lambda weights, lr, o: ConjugateGradient(weights, lr, max_iter=o.max_iter),
}


def optimiser(
    name: str,
    parameters: Iterable[nn.Parameter],
    lr: float,
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nonmono: int = 5,
    max_iter: int = 20,
) -> Optimizer:
    """The optimiser called ``name`` over the parameters that are trained.

    Args:
        lr: learning rate, above 0; for ``lbfgs`` the first step tried, unused by ``cg``.
        momentum: share of the last step that is kept, for ``momentum``.
        weight_decay: pull of every weight towards 0; not for ``lbfgs`` and ``cg``.
        nonmono: evaluations without improvement before ``asgd`` averages.
        max_iter: inner iterations of one step of ``lbfgs`` and ``cg``.

    Raises:
        ConfigError: for an unknown name, nothing to train, or weight decay where it has no effect.
    """
    if name not in OPTIMISERS:
        raise unknown("optimiser", "optimiser", name, OPTIMISERS)
    weights: list[Tensor] = [weight for weight in parameters if weight.requires_grad]
    if not weights:
        raise ConfigError("optimiser: expected parameters to train, got none. Unfreeze some.")
    if weight_decay and name in ("lbfgs", "cg"):
        raise ConfigError(
            f"optimiser: expected weight_decay=0 with {name!r}, got weight_decay={weight_decay!r}."
            " Use 'adamw' or 'sgd' for weight decay."
        )
    return OPTIMISERS[name](weights, lr, _Options(momentum, weight_decay, nonmono, max_iter))


def needs_closure(optimiser: Optimizer) -> bool:
    """Whether a step evaluates the loss several times."""
    return isinstance(optimiser, torch.optim.LBFGS | ConjugateGradient)


def observe(optimiser: Optimizer, loss: float) -> None:
    """Tell an optimiser that listens the validation loss."""
    if isinstance(optimiser, AveragedSGD):
        optimiser.observe(loss)


@contextmanager
def averaged_weights(optimiser: Optimizer) -> Iterator[None]:
    """Evaluate inside this: with the averaged weights where the optimiser has them."""
    if isinstance(optimiser, AveragedSGD):
        with optimiser.averaged_weights():
            yield
    else:
        yield
