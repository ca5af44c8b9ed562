"""The decoder's first state from what the encoder read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from penstock.equations.program import Slot
from penstock.errors import ConfigError
from penstock.layers.memory import Memory
from penstock.layers.recurrent import Recurrent
from penstock.layers.state import State, join, state_type
from penstock.models.translator.source import Source

__all__ = ["Bridge"]

_NOT_OF_THE_CELL = ("attended", "coverage", "x")
"""States that attention and delays of the input add to a cell's own: they start from zero."""


class Bridge(nn.Module):
    """State before the first word of the translation.

    - ``zero``: nothing is known.
    - ``last``: the encoder's last state, layer by layer (lecture 002, equation 24).
    - ``mean``: ``tanh(W mean(annotations) + b)`` for every state (Sennrich et al. 2017).
    - ``bridge``: ``tanh(W summary + b)``, as Bahdanau et al. 2014, appendix A.2.2, from the last
      outputs of all directions.

    Args:
        way: one of the above.
        encoder, decoder: the layers of both sides.

    Raises:
        ConfigError: the encoder's last state does not fit the decoder.
    """

    def __init__(self, way: str, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        self.way = way
        self._decoder = (decoder,)  # a tuple, so that its weights are not listed twice
        widths = _widths(decoder)
        self.map = nn.ModuleDict()
        self.taken: list[tuple[int, str, int, str]] = []
        if way in ("mean", "bridge"):
            for (layer, field), width in widths.items():
                self.map[f"{field}_{layer}"] = nn.Linear(encoder.output_size, width)
        elif way == "last":
            self.taken = _pairs(encoder, widths, stacked=decoder.num_layers < encoder.num_layers)

    def forward(self, source: Source) -> State:
        """The first state for a batch of sources."""
        decoder = self._decoder[0]
        memory = source.memory if decoder.program.reads_memory else None
        batch = len(source.summary)
        firsts = [part.first_state(batch, memory) for part in decoder.stack]  # type: ignore[operator]
        known = _mean(source.memory) if self.way == "mean" else source.summary
        for name, linear in self.map.items():
            own, _, layer = name.rpartition("_")
            firsts[int(layer)][own] = torch.tanh(linear(known))
        for before, name, after, field in self.taken:
            firsts[after][field] = source.states[before][name]
        return join(firsts, state_type(tuple(slot.field for slot in decoder.program.slots)))


def _widths(layers: Recurrent) -> dict[tuple[int, str], int]:
    """Layer and field to the width of every state of the cell."""
    slots = [slot for slot in layers.program.slots if slot.name not in _NOT_OF_THE_CELL]
    found = {}
    for index, part in enumerate(layers.stack[:: layers.directions]):
        for slot in slots:
            found[index, slot.field] = _width(slot, part.sizes)  # type: ignore[arg-type]
    return found


def _width(slot: Slot, sizes: dict[str, int]) -> int:
    return sizes[slot.size[0]] if slot.size else 1


def _pairs(
    encoder: Recurrent, widths: dict[tuple[int, str], int], *, stacked: bool
) -> list[tuple[int, str, int, str]]:
    """Which state of which layer of the encoder becomes which of the decoder.

    Args:
        stacked: whether the decoder has several layers in the equations of one.
    """
    pairs = []
    for (layer, name), width in _widths(encoder).items():
        own = (0, f"{name}_{layer + 1}") if stacked else (layer, name)
        if widths.get(own) != width * encoder.directions:
            raise ConfigError(
                "Translator: expected first_state='last' with encoder and decoder of the same "
                f"cell, layers and width, but the encoder's {name} of "
                f"{width * encoder.directions} units fits no state of the decoder. "
                "Take first_state='bridge', or an encoder of one direction."
            )
        pairs.append((layer, name, *own))
    return pairs


def _mean(memory: Memory) -> Tensor:
    """The mean annotation of each source, (B, M)."""
    assert memory.lengths is not None
    return memory.values.sum(0) / memory.lengths[:, None]
