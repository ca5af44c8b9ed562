"""The optimisers by name: PyTorch's, SciPy's conjugate gradient, and averaged SGD."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector
from torch.optim import Optimizer

from penstock.errors import ConfigError
from penstock.registry import Registry
from penstock.training.averaged import AveragedSGD, assign

__all__ = ["OPTIMISERS", "ConjugateGradient", "needs_closure", "optimiser"]


class ConjugateGradient(Optimizer):
    """Nonlinear conjugate gradient (Polak-Ribiere, SciPy's ``CG``); each step is a whole search.

    For small problems: every step asks for the loss and the gradient of the same data many times.

    Args:
        max_iter: directions searched in one step, at least 1.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, *, max_iter: int = 20) -> None:
        super().__init__(params, {"lr": lr, "max_iter": max_iter})

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Search from the present weights; ``closure`` fills the gradients and returns the loss."""
        assert closure is not None
        weights = [weight for group in self.param_groups for weight in group["params"]]
        start = parameters_to_vector(weights).detach().double().numpy()

        def put(flat: np.ndarray) -> None:
            parts = torch.tensor(flat).split([weight.numel() for weight in weights])
            assign(weights, [part.view_as(w) for part, w in zip(parts, weights, strict=True)])

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            put(flat)
            loss = float(closure())
            grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
            return loss, parameters_to_vector(grads).double().numpy()

        options = {"maxiter": self.param_groups[0]["max_iter"]}
        with np.errstate(all="ignore"):
            found = minimize(evaluate, start, jac=True, method="CG", options=options)
        put(found.x)
        return found.fun


@dataclass(frozen=True)
class _Options:
    momentum: float
    weight_decay: float
    nonmono: int
    max_iter: int


_Maker = Callable[[list[Tensor], float, _Options], Optimizer]


def _plain(kind: Any, **options: Any) -> _Maker:
    """One of PyTorch's optimisers with its own defaults, but for ``options``.

    ``fused`` takes one pass over the weights, on a CPU too, where the default of Adam takes ten.
    """
    return lambda weights, lr, o: kind(weights, lr=lr, weight_decay=o.weight_decay, **options)


OPTIMISERS: Registry[_Maker] = Registry(
    "optimiser",
    "optimiser",
    {
        "sgd": _plain(torch.optim.SGD),
        "momentum": lambda weights, lr, o: torch.optim.SGD(
            weights, lr=lr, momentum=o.momentum, weight_decay=o.weight_decay
        ),
        "adagrad": _plain(torch.optim.Adagrad),
        "rmsprop": _plain(torch.optim.RMSprop),
        "adam": _plain(torch.optim.Adam, fused=True),
        "adamw": _plain(torch.optim.AdamW, fused=True),
        "asgd": lambda weights, lr, o: AveragedSGD(
            weights, lr, nonmono=o.nonmono, weight_decay=o.weight_decay
        ),
        "lbfgs": lambda weights, lr, o: torch.optim.LBFGS(
            weights, lr=lr, max_iter=o.max_iter, line_search_fn="strong_wolfe"
        ),
        "cg": lambda weights, lr, o: ConjugateGradient(weights, lr, max_iter=o.max_iter),
    },
)


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
    make = OPTIMISERS[name]
    weights: list[Tensor] = [weight for weight in parameters if weight.requires_grad]
    if not weights:
        raise ConfigError("optimiser: expected parameters to train, got none. Unfreeze some.")
    if weight_decay and name in ("lbfgs", "cg"):
        raise ConfigError(
            f"optimiser: expected weight_decay=0 with {name!r}, got weight_decay={weight_decay!r}."
            " Use 'adamw' or 'sgd' for weight decay."
        )
    return make(weights, lr, _Options(momentum, weight_decay, nonmono, max_iter))


def needs_closure(optimiser: Optimizer) -> bool:
    """Whether a step evaluates the loss several times."""
    return isinstance(optimiser, torch.optim.LBFGS | ConjugateGradient)
