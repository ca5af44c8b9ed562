"""The two ways a language model reads its training text: running streams, or lone sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from penstock.models.language import LanguageModel
from penstock.scoring.losses import sentence_losses
from penstock.text import columns, count_sentences, sentences, window
from penstock.training.bptt import TruncatedBPTT
from penstock.training.task import Task

__all__ = ["Reading", "SentenceTask", "StreamTask", "TextTask"]

VALIDATION_STEPS = 64


class Reading(Protocol):
    """The settings these tasks go by (see ``LanguageSettings``)."""

    @property
    def batch_size(self) -> int: ...
    @property
    def k1(self) -> int: ...
    @property
    def k1_spread(self) -> float: ...
    @property
    def k2(self) -> int: ...
    @property
    def seed(self) -> int: ...


class TextTask(Task):
    """Learning to predict a text.

    Args:
        model: to be trained.
        settings: how the text is read.
        eos_id: id of ``<eos>``.
        train: ids of the training text, (N,).
        valid: ids of the validation text.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: Reading,
        eos_id: int,
        train: np.ndarray,
        valid: np.ndarray,
    ) -> None:
        self.model, self.settings, self.eos_id = model, settings, eos_id
        self.train, self.valid = train, valid
        self.prepare()

    def prepare(self) -> None:
        """Lay the text out; set ``updates_per_epoch``."""
        raise NotImplementedError

    def validation_losses(self) -> Iterator[tuple[Tensor, int]]:
        """Losses of pieces of the validation text, and how many tokens each has."""
        raise NotImplementedError

    def validate(self) -> dict[str, float]:
        """Mean loss over the validation text, in nats per token, and its perplexity."""
        nats, tokens = 0.0, 0
        for losses, count in self.validation_losses():
            nats, tokens = nats + float(losses.double().sum()), tokens + count
        return {"loss": nats / tokens, **self.figures(nats / tokens)}


class Columns:
    """A text cut into columns, for :class:`~penstock.training.bptt.TruncatedBPTT`."""

    def __init__(self, ids: np.ndarray, batch_size: int) -> None:
        self._columns = columns(ids, batch_size)
        self.batch, self.steps = batch_size, self._columns.shape[1] - 1

    def __call__(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        return window(self._columns, start, stop)


class StreamTask(TextTask):
    """Running text in parallel streams, the state carried from update to update.

    Validation reads parallel streams too, which is fast but leaves out the last tokens.
    """

    def prepare(self) -> None:
        size = self.settings.batch_size
        self._valid = Columns(self.valid, max(1, min(size, len(self.valid) // 100)))
        k1, k2 = self.settings.k1, self.settings.k2 or self.settings.k1
        text, spread = Columns(self.train, size), self.settings.k1_spread
        self._bptt = TruncatedBPTT(self.model, text, k1, k2, spread=spread)
        self.updates_per_epoch = self._bptt.updates

    def begin_epoch(self, epoch: int) -> None:
        self._bptt.begin()

    def loss(self, update: int) -> tuple[Tensor, int]:
        return self._bptt.loss(update)

    def carry(self) -> dict[str, Tensor]:
        return self._bptt.carry()

    def restore(self, carry: dict[str, Tensor]) -> None:
        self._bptt.restore(carry)

    def validation_losses(self) -> Iterator[tuple[Tensor, int]]:
        state = None
        for start in range(0, self._valid.steps, VALIDATION_STEPS):
            inputs, targets = self._valid(start, min(start + VALIDATION_STEPS, self._valid.steps))
            hidden, state = self.model(inputs, state)
            yield self.model.losses(hidden, targets), targets.numel()


class SentenceTask(TextTask):
    """Sentences that stand alone, in shuffled batches of like length."""

    def prepare(self) -> None:
        count = count_sentences(self.train, self.eos_id)
        self.updates_per_epoch = -(-count // self.settings.batch_size)
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        self._iterator = enumerate(self._batches(self.train, epoch))
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

    def validation_losses(self) -> Iterator[tuple[Tensor, int]]:
        for inputs, targets, lengths in self._batches(self.valid, 0):
            yield sentence_losses(self.model, inputs, targets, lengths), int(lengths.sum())

    def _batches(self, ids: np.ndarray, epoch: int) -> Iterator[Any]:
        size, seed = self.settings.batch_size, self.settings.seed
        return sentences(ids, self.eos_id, size, seed=seed, epoch=epoch)
