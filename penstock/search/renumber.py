"""A model asked in the numbers of another vocabulary with the same symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.search.model import Selectable, attention_of, device_of

__all__ = ["Renumbered"]


class Renumbered:
    """A model whose symbols have other numbers: an n-gram model in a translator's search, say.

    Symbols that the model has not get the probability of its unknown one, each all of it, as
    n-gram tools do: what is asked for is then a score rather than a distribution.

    Args:
        model: with its own numbers.
        ids: (V,), the model's number of each symbol.
    """

    def __init__(self, model: Selectable, ids: Tensor) -> None:
        self.model, self.ids = model, ids.to(device_of(model))

    @classmethod
    def by_text(
        cls,
        model: Selectable,
        own: Sequence[str],
        tokens: Sequence[str],
        *,
        unknown: int | None = None,
    ) -> Renumbered:
        """A model whose symbols are told by their text.

        Args:
            own: text of each of the model's symbols.
            tokens: text of each symbol in the search, the end by the same text as in ``own``.
            unknown: the model's number for any other text; there may be none when None.

        Raises:
            ConfigError: the model has not all of them.

        >>> from penstock.models.language import LanguageModel
        >>> model = LanguageModel(3, embedding_size=2, hidden_size=2)
        >>> own, tokens = ["<eos>", "a", "b"], ["b", "<eos>", "c"]
        >>> Renumbered.by_text(model, own, tokens, unknown=1).ids.tolist()
        [2, 0, 1]
        """
        known = {token: number for number, token in enumerate(own)}
        lacking = [token for token in tokens if token not in known]
        if lacking and unknown is None:
            raise ConfigError(
                f"Renumbered: expected a model of the same {len(tokens):,} symbols, got one "
                f"without {len(lacking):,} of them, {lacking[0]!r} the first."
            )
        return cls(model, torch.tensor([known.get(token, unknown) for token in tokens]))

    @property
    def device(self) -> torch.device:
        """Where the model takes its symbols."""
        return device_of(self.model)

    def start(self, batch: int) -> Any:
        """The state before any symbol."""
        return self.model.start(batch)

    def step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Symbols (N,) -> log-probabilities of the next (N, V), and the state."""
        log_p, state = self.model.step(self.ids[ids], state)
        return log_p.index_select(1, self.ids), state

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state of other rows."""
        return self.model.select(state, rows)

    def attention(self, state: Any) -> Tensor | None:
        """What the model looked at."""
        return attention_of(self.model, state)
