"""To and from PyTorch's recurrent modules, with the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from penstock.cells.base import CELLS
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.layers.recurrent import Recurrent

__all__ = ["from_torch", "to_torch"]

_CELLS = {
    "lstm": nn.LSTM,
    "lstm-forget-bias": nn.LSTM,
    "lstm-projection": nn.LSTM,
    "gru-pytorch": nn.GRU,
    "elman": nn.RNN,
    "elman-relu": nn.RNN,
}
_GATES = {nn.LSTM: ["_i", "_f", "_g", "_o"], nn.GRU: ["_r", "_z", "_n"], nn.RNN: [""]}
"""Endings of the weights' names in the order in which PyTorch stacks them."""


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
            for name, views in _theirs(module, index, way).items():
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
            for name, views in _theirs(module, index, way).items():
                views[0].copy_(ours[name])
    return module


def _theirs(module: nn.RNNBase, layer: int, way: int) -> dict[str, list[Tensor]]:
    """Weight name to the parts of PyTorch's parameters whose sum it is."""
    suffix = f"_l{layer}{'_reverse' if way else ''}"
    gates = _GATES[type(module)]
    parts: dict[str, list[Tensor]] = {}
    pairs = [("W", "weight_ih"), ("U", "weight_hh"), ("b", "bias_ih"), ("b", "bias_hh")]
    for ours, theirs in pairs:
        if not hasattr(module, theirs + suffix):
            continue
        blocks = getattr(module, theirs + suffix).chunk(len(gates))
        for gate, block in zip(gates, blocks, strict=True):
            apart = theirs == "bias_hh" and isinstance(module, nn.GRU) and gate == "_n"
            parts.setdefault(("q" if apart else ours) + gate, []).append(block)
    if getattr(module, "proj_size", 0):
        parts["W_h"] = [getattr(module, "weight_hr" + suffix)]
    return parts


def _module(layer: Recurrent) -> nn.RNN | nn.LSTM | nn.GRU:
    name, refusal = layer.program.name, "Recurrent.to_torch: PyTorch has no"
    if name not in _CELLS:
        raise ConfigError(f"{refusal} cell {name!r}. It has {', '.join(_CELLS)}.")
    if layer.program.operations != CELLS[name].program().operations:
        raise ConfigError(f"{refusal} {name} with other equations, such as regularisers.")
    if len(set(layer.hidden_sizes)) > 1:
        raise ConfigError(f"{refusal} layers of different hidden sizes {layer.hidden_sizes}.")
    if layer.learn_state:
        raise ConfigError(f"{refusal} learnt first state. Make the layer without learn_state.")
    options: dict[str, object] = {}
    if name == "lstm-projection":
        options["proj_size"] = layer.stack[0].output_size
    if name == "elman-relu":
        options["nonlinearity"] = "relu"
    weight = layer.stack[0].flat
    module = _CELLS[name](
        layer.input_size,
        layer.hidden_sizes[0],
        layer.num_layers,
        bidirectional=layer.directions == 2,
        dropout=layer.dropout,
        batch_first=layer.batch_first,
        **options,
    ).to(weight.device, weight.dtype)
    for parameter in module.parameters():
        parameter.zero_()
    return module.train(layer.training)
