"""What the settings of every recurrent model share: its cell, sizes and regularisers."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import ConfigError
from penstock.training.settings import TrainingSettings, option

__all__ = ["TOKENS", "CellSettings"]

TOKENS = ("word", "character", "byte", "bpe", "unigram")
"""Kinds of tokens, those of :class:`penstock.text.Tokeniser`."""


@dataclass(frozen=True, kw_only=True)
class CellSettings(TrainingSettings):
    """The layers of a model and how they are regularised."""

    cell: str = option("lstm", "a cell of the zoo, or equations")
    hidden: str = option("200", "units of a layer; one number, or one for each as 300,200")
    layers: int = option(1, "recurrent layers", minimum=1)
    embedding: int = option(0, "width of a token's vector (0: as the first layer)", minimum=0)
    dropout: float = option(0.0, "dropout of embedding, between layers and of the output", share=1)
    variational_input: float = option(
        0.0, "dropout of x in the products, one mask per sequence", share=1
    )
    variational_state: float = option(
        0.0, "dropout of h[t-1] in the products, one mask per sequence", share=1
    )
    recurrent_dropout: float = option(0.0, "dropout of the state's update, each step", share=1)
    zoneout: float = option(0.0, "probability that a unit of the state stays as it was", share=1)
    weight_drop: float = option(0.0, "dropout of the recurrent matrices' entries", share=1)
    layer_norm: bool = option(False, "every product normalised over its units")
    vocab_size: int = option(0, "most tokens to tell apart (0: all of the text)", minimum=0)
    min_count: int = option(1, "least occurrences of a token of the vocabulary", minimum=1)

    @property
    def hidden_sizes(self) -> list[int]:
        """Units of every layer."""
        return self.sizes_of(self.layers)

    def sizes_of(self, layers: int) -> list[int]:
        """Units of so many layers."""
        try:
            sizes = [int(size) for size in str(self.hidden).split(",")]
        except ValueError:
            sizes = []
        sizes = sizes * layers if len(sizes) == 1 else sizes
        if len(sizes) != layers or min(sizes) < 1:
            raise ConfigError(
                f"{type(self).__name__}: expected hidden as one number >= 1, or {layers} of them "
                f"as in 300,200, got hidden={self.hidden!r}."
            )
        return sizes
