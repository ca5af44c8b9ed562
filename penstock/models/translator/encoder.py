"""The encoder: reads a sentence, in one direction or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from penstock.layers.dropout import dropout
from penstock.layers.memory import Memory
from penstock.layers.recurrent import Recurrent
from penstock.models.translator.source import Source
from penstock.models.translator.words import Words

__all__ = ["Encoder", "reversed_within"]


class Encoder(nn.Module):
    """Word vectors and recurrent layers over a source (lecture 002, equation 23).

    Args:
        words: vectors of the source's words.
        recurrent: the layers; bidirectional or not.
        dropout: probability of dropping a unit of an annotation.
        backwards: whether the words are read from the last to the first (extension V;
            Sutskever, Vinyals & Le 2014, section 3.3).
    """

    def __init__(
        self, words: Words, recurrent: Recurrent, *, dropout: float = 0.0, backwards: bool = False
    ) -> None:
        super().__init__()
        self.words, self.recurrent = words, recurrent
        self.dropout, self.backwards = dropout, backwards

    @property
    def size(self) -> int:
        """Width of an annotation, M."""
        return self.recurrent.output_size

    def forward(self, ids: Tensor, lengths: Tensor) -> Source:
        """Read sources: ids (S, B), lengths (B,) >= 1."""
        order = reversed_within(lengths, len(ids)) if self.backwards else None
        read = ids if order is None else ids.gather(0, order)
        ys, state = self.recurrent(self.words(read), lengths=lengths)
        summary = self._summary(ys, lengths)
        if order is not None:  # annotations stand where their words stand
            ys = ys.gather(0, order[..., None].expand_as(ys))
        ys = dropout(ys, self.dropout, self.training)
        return Source(ids, Memory(ys, lengths), summary, self._states(state))

    def _summary(self, ys: Tensor, lengths: Tensor) -> Tensor:
        """The output that each direction ends with, (B, M)."""
        last = ys[lengths - 1, torch.arange(ys.shape[1], device=ys.device)]
        if self.recurrent.directions == 1:
            return last
        half = ys.shape[-1] // 2
        return torch.cat([last[:, :half], ys[0, :, half:]], -1)

    def _states(self, state: tuple[Tensor, ...]) -> tuple[dict[str, Tensor], ...]:
        """The last state of each layer, its directions side by side."""
        ways = self.recurrent.directions
        named = zip(type(state)._fields, state, strict=True)  # type: ignore[attr-defined]
        fields = {name: [parts[i] for i in range(len(parts))] for name, parts in named}
        return tuple(
            {n: torch.cat(parts[ways * i : ways * (i + 1)], -1) for n, parts in fields.items()}
            for i in range(self.recurrent.num_layers)
        )


def reversed_within(lengths: Tensor, steps: int) -> Tensor:
    """Where each place's word comes from when sentences are read backwards: (steps, B).

    >>> reversed_within(torch.tensor([3, 2]), 3).T.tolist()
    [[2, 1, 0], [1, 0, 2]]
    """
    places = torch.arange(steps, device=lengths.device)[:, None]
    return torch.where(places < lengths, lengths - 1 - places, places)
