"""To and from PyTorch's recurrent modules, with the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from penstock.engines.pytorch import CELLS, Cell, cell_of
from penstock.equations.plan import plan
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.layers.direction import Direction
    from penstock.layers.recurrent import Recurrent

__all__ = ["from_torch", "to_torch"]

_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""PyTorch's names, in the order of :attr:`penstock.engines.pytorch.Cell.parts`."""


def _cell_name(module: nn.RNNBase) -> str:
    match module:
        case nn.LSTM():
            return "lstm-projection" if module.proj_size else "lstm"
        case nn.GRU():
            return "gru-pytorch"
        case nn.RNN():
            return "elman-relu" if module.nonlinearity == "relu" else "elman"
        case _:
            raise ConfigError(
                f"Recurrent.from_torch: expected nn.RNN, nn.LSTM or nn.GRU, "
                f"got {type(module).__name__}."
            )


@torch.no_grad()
def from_torch(cls: type[Recurrent], module: nn.RNNBase) -> Recurrent:
    """A layer with the weights of an ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``."""
    layer = cls(
        _cell_name(module),
        module.input_size,
        module.hidden_size,
        module.num_layers,
        bidirectional=module.bidirectional,
        dropout=module.dropout,
        batch_first=module.batch_first,
        sizes={"P": module.proj_size} if module.proj_size else None,
    )
    parameter = next(module.parameters())
    layer.to(parameter.device, parameter.dtype)
    for index in range(module.num_layers):
        for way in range(layer.directions):
            ours = layer.weights(index, way)
            for view in ours.values():
                view.zero_()  # a module with bias=False says nothing of the biases
            for name, views in _theirs(layer, module, index, way).items():
                ours[name].copy_(torch.stack(views).sum(0))
    return layer.train(module.training)


@torch.no_grad()
def to_torch(layer: Recurrent) -> nn.RNN | nn.LSTM | nn.GRU:
    """The PyTorch module with the weights of a layer.

    Raises:
        ConfigError: PyTorch has no such cell, or no such stack of it.
    """
    module = _module(layer)
    for index in range(module.num_layers):
        for way in range(layer.directions):
            ours = layer.weights(index, way)
            for name, views in _theirs(layer, module, index, way).items():
                views[0].copy_(ours[name])
    return module


def _cell(layer: Recurrent) -> Cell | None:
    return cell_of(plan(layer.program))


def _theirs(layer: Recurrent, module: nn.RNNBase, index: int, way: int) -> dict[str, list[Tensor]]:
    """Weight name to the parts of PyTorch's parameters whose sum it is."""
    suffix, cell = f"_l{index}{'_reverse' if way else ''}", _cell(layer)
    assert cell is not None
    parts: dict[str, list[Tensor]] = {}
    for ours, theirs in zip(cell.parts, _PARTS, strict=False):
        if not hasattr(module, theirs + suffix):
            continue
        blocks = getattr(module, theirs + suffix).chunk(len(ours))
        # PyTorch's second bias of a gate adds to the first where the equations have one.
        for name, first, block in zip(ours, cell.parts[2], blocks, strict=False):
            parts.setdefault(first if name == "0" else name, []).append(block)
    return parts


def _module(layer: Recurrent) -> nn.RNN | nn.LSTM | nn.GRU:
    cell, refusal = _cell(layer), "Recurrent.to_torch: PyTorch has no"
    if cell is None:
        has = ", ".join(dict.fromkeys(known.name for known in CELLS))
        raise ConfigError(
            f"{refusal} cell with the equations of {layer.program.name!r}, regularisers included. "
            f"It has {has}."
        )
    if len(set(layer.hidden_sizes)) > 1:
        raise ConfigError(f"{refusal} layers of different hidden sizes {layer.hidden_sizes}.")
    if layer.learn_state:
        raise ConfigError(f"{refusal} learnt first state. Make the layer without learn_state.")
    first = cast("Direction", layer.stack[0])
    options = {name: first.sizes.get(value, value) for name, value in cell.options.items()}
    module = cell.module(
        layer.input_size,
        layer.hidden_sizes[0],
        layer.num_layers,
        bidirectional=layer.directions == 2,
        dropout=layer.dropout,
        batch_first=layer.batch_first,
        **options,
    ).to(first.flat.device, first.flat.dtype)
    for parameter in module.parameters():
        parameter.zero_()
    return cast("nn.RNN | nn.LSTM | nn.GRU", module.train(layer.training))
