"""The settings of a language model; nothing here needs PyTorch, so that help is quick."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import ConfigError
from penstock.training.settings import TrainingSettings, option

__all__ = ["CONTEXT", "OUTPUTS", "WINDOW", "LanguageSettings"]

WINDOW = "window"
"""Name of the window network among the cells."""
CONTEXT = 5
"""Words that a window network reads when the settings do not say."""
OUTPUTS = ("full", "class", "hierarchical", "adaptive", "sampled", "nce")
"""Names of the output layers, :data:`penstock.layers.output.OUTPUTS`."""


@dataclass(frozen=True, kw_only=True)
class LanguageSettings(TrainingSettings):
    """Everything that makes a language model: text, model, regularisers, training."""

    cell: str = option("lstm", "a cell of the zoo, equations, or window", fixed=True)
    context: int = option(
        0, f"words that a window network reads (0: {CONTEXT} with cell window)", minimum=0
    )
    direct: bool = option(False, "the output of a window network reads the word vectors too")
    hidden: str = option("200", "units of a layer; one number, or one for each as 300,200")
    layers: int = option(1, "recurrent layers", minimum=1)
    embedding: int = option(0, "width of a token's vector (0: as the first layer)", minimum=0)
    tied: bool = option(False, "output and embedding share one matrix")
    projection: int = option(0, "width of a linear layer before the softmax (0: none)", minimum=0)
    output: str = option("full", "the softmax, or one for large vocabularies", choices=OUTPUTS)
    classes: int = option(0, "classes of output class (0: root of the vocabulary)", minimum=0)
    samples: int = option(1024, "words drawn an update by outputs sampled and nce", minimum=1)
    learn_state: bool = option(False, "the state before the first token is learnt")
    init_range: float = option(
        0.0, "start weights uniform up to this size (0: the cell's own way)", minimum=0
    )
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
    tokens: str = option(
        "word", "what a token is", choices=("word", "character", "byte", "bpe", "unigram")
    )
    vocab_size: int = option(0, "most tokens to tell apart (0: all of the text)", minimum=0)
    min_count: int = option(1, "least occurrences of a token of the vocabulary", minimum=1)
    batch_size: int = option(20, "streams or sentences read side by side", minimum=1)
    k1: int = option(35, "steps forward between updates", minimum=1)
    k2: int = option(0, "steps that gradients go back (0: as k1)", minimum=0)
    sentences: bool = option(False, "every line stands alone: first state, full BPTT")

    @property
    def is_window(self) -> bool:
        """Whether the model is a window network: no state, some words."""
        return self.cell == WINDOW or self.context > 0

    @property
    def hidden_sizes(self) -> list[int]:
        """Units of every layer."""
        try:
            sizes = [int(size) for size in str(self.hidden).split(",")]
        except ValueError:
            sizes = []
        sizes = sizes * self.layers if len(sizes) == 1 else sizes
        if len(sizes) != self.layers or min(sizes) < 1:
            raise ConfigError(
                f"LanguageSettings: expected hidden as one number >= 1, or {self.layers} of them "
                f"as in 300,200, got hidden={self.hidden!r}."
            )
        return sizes
