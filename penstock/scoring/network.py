"""A language model in a folder as a scorer of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.errors import DataError
from penstock.progress import Progress, adding

if TYPE_CHECKING:
    from penstock.models.language import LanguageModel
    from penstock.scoring.losses import Adaption
    from penstock.search import Selectable
    from penstock.text import Tokeniser

__all__ = ["Network"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Network:
    """A model in a folder."""

    path: Path
    model: LanguageModel
    tokeniser: Tokeniser

    @classmethod
    def open(cls, path: Path) -> Network:
        """The language model of a folder.

        Raises:
            DataError: a file is missing, damaged, or does not fit the others.
        """
        from penstock.models import store
        from penstock.models.language import LanguageModel
        from penstock.text import Tokeniser
        from penstock.text.tokenise import FILE

        model = store.load_model(path)
        if not isinstance(model, LanguageModel):
            raise DataError(f"{path}: expected a language model, got a {model.kind}.")
        tokeniser = Tokeniser.load(path)
        if model.vocab_size != tokeniser.vocab_size:
            raise DataError(
                f"{path / FILE}: expected the {model.vocab_size:,} tokens of model.json, "
                f"got {tokeniser.vocab_size:,}. Put back the file that was made with this model."
            )
        return cls(path, model, tokeniser)

    def symbols(self) -> Selectable:
        """It, for search."""
        return self.model

    def of_lines(self, rows: Sequence[Sequence[int]]) -> list[tuple[list[float], list[int]]]:
        """log p of every token of every line, read from the first state; there are no orders."""
        import torch

        from penstock.scoring.losses import sentence_losses, token_losses

        eos_id = self.tokeniser.eos_id
        if len(rows) == 1:
            return [((-token_losses(self.model, np.array(rows[0]), eos_id)).tolist(), [])]
        targets = torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, rows)), padding_value=-1)
        first = torch.full((1, len(rows)), eos_id)
        inputs = torch.cat([first, targets[:-1].clamp(min=0)])
        lengths = torch.tensor([len(row) for row in rows])
        log_ps = (-sentence_losses(self.model, inputs, targets, lengths)).T.tolist()
        return [(own[: len(row)], []) for own, row in zip(log_ps, rows, strict=True)]

    def log_probs(self, ids: Array, adaption: Adaption, progress: Progress) -> Array:
        """log p of every token of a text: (T,) -> (T,)."""
        from penstock.scoring.losses import token_losses

        return -token_losses(
            self.model,
            ids,
            self.tokeniser.eos_id,
            cache=adaption.cache,
            dynamic=adaption.dynamic,
            alone=adaption.alone,
            advance=adding(progress, len(ids)),
        )

    def distributions(self, ids: Array, steps: int, *, alone: bool) -> Iterator[Array]:
        """log p of every token of the vocabulary at every place of a text, in pieces (N, V)."""
        from penstock.scoring.losses import token_distributions

        eos_id = self.tokeniser.eos_id
        return token_distributions(self.model, ids, eos_id, alone=alone, steps=steps)

    def context(self, adaption: Adaption) -> str:
        """What it knows when it predicts."""
        return adaption.context
