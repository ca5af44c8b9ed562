"""Gradients under the names of the equations."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from penstock.layers.recurrent import Recurrent
from penstock.training.clip import NamedGradients

__all__ = ["equation_gradients"]

_USUAL = "recurrent"


def equation_gradients(model: nn.Module) -> NamedGradients:
    """Gradients of a model, a cell's weights by themselves.

    ``layer0.U_f`` and ``embedding.weight`` of a language model; ``encoder.layer0.U_f`` and
    ``encoder.layer0.backward.U_f`` where a model has several parts.
    """

    def gradients() -> dict[str, Tensor]:
        layers = {n: part for n, part in model.named_modules() if isinstance(part, Recurrent)}
        inside = tuple(f"{name}." for name in layers)
        named = {
            name: parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and not name.startswith(inside)
        }
        for name, part in layers.items():
            named |= dict(_of_layers(name, part))
        return named

    return gradients


def _of_layers(name: str, part: Recurrent) -> Iterator[tuple[str, Tensor]]:
    place = name.removesuffix(_USUAL)
    place = f"{place}." if place and not place.endswith(".") else place
    for layer in range(part.num_layers):
        for direction in range(part.directions):
            way = ".backward" if direction else ""
            views = part.weights(layer, direction, grad=True)
            yield from ((f"{place}layer{layer}{way}.{n}", view) for n, view in views.items())
