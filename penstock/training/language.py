"""Training a language model: its settings, its task, and the folder it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from penstock.cells import as_program
from penstock.equations import Program, transform
from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.text import Corpus, Tokeniser, columns, sentences, window
from penstock.training.bptt import TruncatedBPTT
from penstock.training.evaluate import sentence_losses
from penstock.training.settings import TrainingSettings, option
from penstock.training.task import Task

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
) -> Task:
    """Streams of running text, or sentences that stand alone."""
    kind = SentenceTask if settings.sentences else StreamTask
    return kind(model, settings, tokeniser, train.ids, valid.ids)


class _Columns:
    """A text cut into columns, for :class:`TruncatedBPTT`."""

    def __init__(self, ids: np.ndarray, batch_size: int) -> None:
        self._columns = columns(ids, batch_size)
        self.batch, self.steps = batch_size, self._columns.shape[1] - 1

    def __call__(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        return window(self._columns, start, stop)


class StreamTask(Task):
    """Running text in parallel streams, the state carried from update to update."""

    def __init__(
        self,
        model: LanguageModel,
        settings: LanguageSettings,
        tokeniser: Tokeniser,
        train: np.ndarray,
        valid: np.ndarray,
    ) -> None:
        self.model = model
        self._train = _Columns(train, settings.batch_size)
        self._valid = _Columns(valid, max(1, min(settings.batch_size, len(valid) // 100)))
        self._bptt = TruncatedBPTT(model, self._train, settings.k1, settings.k2 or settings.k1)
        self.updates_per_epoch = self._bptt.updates

    def begin_epoch(self, epoch: int) -> None:
        self._bptt.begin()

    def loss(self, update: int) -> tuple[Tensor, int]:
        return self._bptt.loss(update)

    def carry(self) -> dict[str, Tensor]:
        return self._bptt.carry()

    def restore(self, carry: dict[str, Tensor]) -> None:
        self._bptt.restore(carry)

    def validate(self) -> dict[str, float]:
        """Mean loss over the validation text, read in parallel streams as in training."""
        nats, tokens, state = 0.0, 0, None
        for start in range(0, self._valid.steps, 64):
            stop = min(start + 64, self._valid.steps)
            inputs, targets = self._valid(start, stop)
            hidden, state = self.model(inputs, state)
            nats += float(self.model.losses(hidden, targets).double().sum())
            tokens += targets.numel()
        loss = nats / tokens
        return {"loss": loss, **self.figures(loss)}


class SentenceTask(Task):
    """Sentences that stand alone, in shuffled batches of like length."""

    def __init__(
        self,
        model: LanguageModel,
        settings: LanguageSettings,
        tokeniser: Tokeniser,
        train: np.ndarray,
        valid: np.ndarray,
    ) -> None:
        self.model, self._settings, self._eos = model, settings, tokeniser.eos_id
        self._train, self._valid = train, valid
        self.updates_per_epoch = sum(1 for _ in self._batches(train, 0))
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        self._iterator = enumerate(self._batches(self._train, epoch))
        self._current: tuple[int, Any] = (-1, None)

    def loss(self, update: int) -> tuple[Tensor, int]:
        while self._current[0] < update:  # a search asks for the same update several times
            self._current = next(self._iterator)
        inputs, targets, lengths = self._current[1]
        hidden, _ = self.model(inputs, lengths=lengths)
        tokens = int(lengths.sum())
        return self.model.loss(hidden, targets) / tokens, tokens

    def restore(self, carry: dict[str, Tensor]) -> None:
        """Nothing is carried: every sentence starts from the first state."""

    def validate(self) -> dict[str, float]:
        """Mean loss over the validation sentences."""
        nats, tokens = 0.0, 0
        for inputs, targets, lengths in self._batches(self._valid, 0):
            losses = sentence_losses(self.model, inputs, targets, lengths)
            nats += float(losses.double().sum())
            tokens += int(lengths.sum())
        loss = nats / tokens
        return {"loss": loss, **self.figures(loss)}

    def _batches(self, ids: np.ndarray, epoch: int) -> Iterator[Any]:
        size, seed = self._settings.batch_size, self._settings.seed
        return sentences(ids, self._eos, size, seed=seed, epoch=epoch)
