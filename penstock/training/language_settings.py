"""The settings of a language model; nothing here needs PyTorch, so that help is quick."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.training.cell_settings import TOKENS, CellSettings
from penstock.training.settings import option

__all__ = ["CONTEXT", "OUTPUTS", "WINDOW", "LanguageSettings"]

WINDOW = "window"
"""Name of the window network among the cells."""
CONTEXT = 5
"""Words that a window network reads when the settings do not say."""
OUTPUTS = ("full", "class", "hierarchical", "adaptive", "sampled", "nce")
"""Names of the output layers, :data:`penstock.layers.output.OUTPUTS`."""


@dataclass(frozen=True, kw_only=True)
class LanguageSettings(CellSettings):
    """Everything that makes a language model: text, model, regularisers, training."""

    cell: str = option("lstm", "a cell of the zoo, equations, or window")
    context: int = option(
        0, f"words that a window network reads (0: {CONTEXT} with cell window)", minimum=0
    )
    direct: bool = option(False, "the output of a window network reads the word vectors too")
    feedback: bool = option(
        False, "layers hear each other's last state through gates (elman, gru, lstm)"
    )
    embedding_dropout: float = option(
        0.0, "dropout of whole tokens where they are read, one mask per update", share=1
    )
    output_dropout: float = option(
        0.0, "dropout of what the output reads, one mask per sequence", share=1
    )
    activation_penalty: float = option(
        0.0, "times the mean square of what the output reads, added to the loss", minimum=0
    )
    slowness_penalty: float = option(
        0.0, "times the mean square of its change in a step, added to the loss", minimum=0
    )
    tied: bool = option(False, "output and embedding share one matrix")
    projection: int = option(0, "width of a linear layer before the softmax (0: none)", minimum=0)
    output: str = option("full", "the softmax, or one for large vocabularies", choices=OUTPUTS)
    classes: int = option(0, "classes of output class (0: root of the vocabulary)", minimum=0)
    samples: int = option(1024, "words drawn an update by outputs sampled and nce", minimum=1)
    sparse: bool = option(
        False, "updates touch only the vectors of tokens read or drawn (sgd, adagrad)"
    )
    learn_state: bool = option(False, "the state before the first token is learnt")
    init_range: float = option(
        0.0, "start weights uniform up to this size (0: the cell's own way)", minimum=0
    )
    tokens: str = option("word", "what a token is", choices=TOKENS)
    batch_size: int = option(20, "streams or sentences read side by side", minimum=1)
    k1: int = option(35, "steps forward between updates", minimum=1)
    k1_spread: float = option(
        0.0, "standard deviation of where an update ends, drawn every epoch", minimum=0
    )
    k2: int = option(0, "steps that gradients go back (0: as k1)", minimum=0)
    sentences: bool = option(False, "every line stands alone: first state, full BPTT")

    @property
    def is_window(self) -> bool:
        """Whether the model is a window network: no state, some words."""
        return self.cell == WINDOW or self.context > 0
