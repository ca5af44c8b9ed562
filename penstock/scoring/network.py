"""A language model in a folder as a scorer of text."""

from __future__ import annotations

from collections.abc import Iterator
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
