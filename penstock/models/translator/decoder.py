"""The decoder: from the words so far and the source to a vector for the next word."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from penstock.layers.recurrent import Recurrent
from penstock.layers.state import State
from penstock.models.translator.architecture import Architecture
from penstock.models.translator.source import Source
from penstock.models.translator.words import Words

__all__ = ["Decoded", "Decoder"]

CONTEXT, ALIGNMENT = "context", "alignment"
"""Lines of a decoder's equations that :mod:`penstock.layers.attention` writes."""


class Decoded(NamedTuple):
    """What a decoder computed for every step.

    Attributes:
        hidden: its output, (T, B, H).
        context: what it read of the source, (T, B, M); None where it reads nothing of it.
        words: vectors of the words it read, (T, B, E); None where it reads none.
        alignment: share of each source word, (T, B, S), where it was asked for and there is one.
        state: after the last step.
    """

    hidden: Tensor
    context: Tensor | None
    words: Tensor | None
    alignment: Tensor | None
    state: State


class Decoder(nn.Module):
    """Recurrent layers over the translation so far (lecture 002, equations 24 and 27).

    Args:
        words: vectors of the translation's words; None where they are not read.
        recurrent: the layers; their equations read ``memory`` if they attend.
        architecture: says what the decoder reads, and whether the layers are the encoder's.
    """

    def __init__(
        self, words: Words | None, recurrent: Recurrent, architecture: Architecture
    ) -> None:
        super().__init__()
        self.words = words
        if not architecture.shared:
            self.own = recurrent
        self._recurrent = (recurrent,)  # a tuple, so that shared weights are not listed twice
        self.reads_summary = architecture.reads_summary

    @property
    def recurrent(self) -> Recurrent:
        """The layers."""
        return self._recurrent[0]

    @property
    def attends(self) -> bool:
        """Whether every step looks back at the source's words."""
        return self.recurrent.program.reads_memory

    def forward(
        self,
        source: Source,
        ids: Tensor,
        state: State,
        lengths: Tensor | None = None,
        *,
        align: bool = False,
    ) -> Decoded:
        """Read the words before each word: ids (T, B).

        Args:
            source: what is translated.
            state: before the first of these steps.
            lengths: (B,), real steps of each sequence.
            align: whether the alignment is wanted.
        """
        xs, words, summary = self._read(source, ids)
        if not self.attends:
            hidden, state = self.recurrent(xs, state, lengths)
            return Decoded(hidden, summary, words, None, state)
        names = (CONTEXT, ALIGNMENT) if align else (CONTEXT,)
        hidden, state, traces = self.recurrent(
            xs, state, lengths, memory=source.memory, trace=names
        )
        return Decoded(hidden, traces[0][CONTEXT], words, traces[0].get(ALIGNMENT), state)

    def step(self, source: Source, ids: Tensor, state: State) -> Decoded:
        """The same for one word of each row: ids (N,); T is 1. The alignment is given."""
        xs, words, summary = self._read(source, ids[None])
        if not self.attends:
            hidden, state = self.recurrent.step(xs[0], state)
            return Decoded(hidden[None], summary, words, None, state)
        hidden, state, (traced,) = self.recurrent.step(
            xs[0], state, memory=source.memory, trace=(CONTEXT, ALIGNMENT)
        )
        return Decoded(hidden[None], traced[CONTEXT][None], words, traced[ALIGNMENT][None], state)

    def _read(self, source: Source, ids: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Input of the layers, vectors of the words, and the summary of the source."""
        words = self.words(ids) if self.words else None
        summary = source.summary.expand(len(ids), -1, -1) if self.reads_summary else None
        given = [part for part in (words, summary) if part is not None]
        return (torch.cat(given, -1) if given else self._nothing(ids)), words, summary

    def _nothing(self, ids: Tensor) -> Tensor:
        """The input of equation 24, which has none."""
        weight = next(self.recurrent.parameters())
        return weight.new_zeros(*ids.shape, self.recurrent.input_size)
