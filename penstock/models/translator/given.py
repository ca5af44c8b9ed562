"""A batch of sources as a model that search can use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from penstock.layers.output import Among, Softmax, largest
from penstock.layers.output.among import OfRows
from penstock.layers.state import State, select
from penstock.models.translator.decoder import Decoded
from penstock.models.translator.source import Source

if TYPE_CHECKING:
    from penstock.models.translator.model import Translator

__all__ = ["Given", "Translating"]


@dataclass(frozen=True)
class Translating:
    """Where the translations of N sources are.

    Attributes:
        source: what each translates.
        origin: which source of the batch that is, (N,).
        state: the decoder's.
        alignment: share of each source word in the last step, (N, S), or None.
    """

    source: Source
    origin: Tensor
    state: State
    alignment: Tensor | None = None


class Given:
    """p(next word | source, words before), for each of a batch of sources.

    Args:
        source: what was read of each.
        words: (B, V) bool, which the translation of each may have; all when None.
    """

    def __init__(self, model: Translator, source: Source, words: Tensor | None = None) -> None:
        self.model, self.source = model, source
        self.among = None if words is None else Among(model.output, words)

    def start(self, batch: int) -> Translating:
        """The state before any word of the ``batch`` sources there are."""
        rows = torch.arange(batch, device=self.source.ids.device)
        return Translating(self.source, rows, self.model.bridge(self.source))

    def step(self, ids: Tensor, state: Translating) -> tuple[Tensor, Translating]:
        """One word on: ids (N,) -> log-probabilities of the next (N, V) and the state."""
        decoded, after = self._decoded(ids, state)
        return self._log_p(self.model.readout(decoded)[0], decoded, after), after

    def best(
        self, ids: Tensor, state: Translating, number: int
    ) -> tuple[Tensor, Tensor, Translating]:
        """One word on: the best next words, log-probabilities (N, n) and ids (N, n)."""
        decoded, after = self._decoded(ids, state)
        hidden = self.model.readout(decoded)[0]
        if self.model.pointer is None:
            return *self._output(after).best(hidden, number), after
        return *largest(self._log_p(hidden, decoded, after), number), after

    def _output(self, state: Translating) -> Softmax | OfRows:
        return self.model.output if self.among is None else self.among.of(state.origin)

    def _log_p(self, hidden: Tensor, decoded: Decoded, state: Translating) -> Tensor:
        log_p = self._output(state).log_p(hidden)
        if self.model.pointer is None:
            return log_p
        assert decoded.alignment is not None
        return self.model.pointer.log_p(log_p, hidden, decoded.alignment[0], state.source.ids)

    def _decoded(self, ids: Tensor, state: Translating) -> tuple[Decoded, Translating]:
        decoded = self.model.decoder.step(state.source, ids, state.state)
        alignment = None if decoded.alignment is None else decoded.alignment[0]
        return decoded, replace(state, state=decoded.state, alignment=alignment)

    def select(self, state: Translating, rows: Tensor) -> Translating:
        """The state of some rows, (N',); a row may come more than once."""
        origin, alignment = state.origin[rows], state.alignment
        # Most often only the hypotheses of one source change places, and the source is kept.
        same = torch.equal(origin, state.origin)
        source = state.source if same else self.source.select(origin)
        alignment = None if alignment is None else alignment[rows]
        return Translating(source, origin, select(state.state, rows), alignment)

    def attention(self, state: Translating) -> Tensor | None:
        """Share of each source word in the last step, (N, S)."""
        return state.alignment
