"""The settings of a language model, and the model and task they describe."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.cells import as_program
from penstock.equations import Program, transform
from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.text import Corpus, Tokeniser
from penstock.training.settings import TrainingSettings, option
from penstock.training.text_tasks import SentenceTask, StreamTask, TextTask

__all__ = ["LanguageSettings", "build_model", "build_task"]


@dataclass(frozen=True, kw_only=True)
class LanguageSettings(TrainingSettings):
    """Everything that makes a language model: text, model, regularisers, training."""

    cell: str = option("lstm", "a cell of the zoo, or equations", fixed=True)
    hidden: str = option("200", "units of a layer; one number, or one for each as 300,200")
    layers: int = option(1, "recurrent layers", minimum=1)
    embedding: int = option(0, "width of a token's vector (0: as the first layer)", minimum=0)
    tied: bool = option(False, "output and embedding share one matrix")
    projection: int = option(0, "width of a linear layer before the softmax (0: none)", minimum=0)
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


def regularised(program: Program, settings: LanguageSettings) -> Program:
    """The cell with the regularisers that the settings ask for."""
    if settings.layer_norm:
        program = transform.layer_normalised(program)
    if settings.weight_drop:
        program = transform.weight_drop(program, settings.weight_drop)
    if settings.recurrent_dropout:
        program = transform.recurrent_dropout(program, settings.recurrent_dropout)
    if settings.variational_input or settings.variational_state:
        program = transform.variational_dropout(
            program, inputs=settings.variational_input, states=settings.variational_state
        )
    if settings.zoneout:
        program = transform.zoneout(program, dict.fromkeys(program.states, settings.zoneout))
    return program


def build_model(settings: LanguageSettings, vocab_size: int) -> LanguageModel:
    """The model that the settings describe, with start weights drawn anew."""
    sizes = settings.hidden_sizes
    model = LanguageModel(
        vocab_size,
        regularised(as_program(settings.cell), settings),
        embedding_size=settings.embedding or sizes[0],
        hidden_size=sizes,
        num_layers=settings.layers,
        dropout=settings.dropout,
        tied=settings.tied,
        projection=settings.projection,
        learn_state=settings.learn_state,
    )
    if settings.init_range:
        model.reset_uniform(settings.init_range)
    return model


def build_task(
    model: LanguageModel,
    settings: LanguageSettings,
    tokeniser: Tokeniser,
    train: Corpus,
    valid: Corpus,
) -> TextTask:
    """Streams of running text, or sentences that stand alone."""
    kind = SentenceTask if settings.sentences else StreamTask
    return kind(model, settings, tokeniser.eos_id, train.ids, valid.ids)
