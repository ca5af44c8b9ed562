"""Learning to translate sentence pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from penstock.models.translator import Features, Translator
from penstock.text import PairBatch, PairCorpus, pair_batch, token_batches
from penstock.training import distributed
from penstock.training.risk import expected_risk
from penstock.training.task import Task
from penstock.training.translation_losses import coverage_loss, guided_loss, own_words
from penstock.training.translation_settings import TranslationSettings
from penstock.translation.scores import pair_losses

__all__ = ["Links", "Measure", "TranslationTask"]

Measure = Callable[[], float]
"""BLEU of a model's translations of the validation sentences, 0 to 100."""
Links = Mapping[int, Sequence[tuple[int, int]]]
"""For each line of the training text, pairs of a source token and a target token, from 0."""


class TranslationTask(Task):
    """Batches of pairs of like length, in an order drawn from the seed and the epoch.

    Args:
        model: to be trained.
        settings: how it is trained.
        train, valid: the pairs.
        measure: gives BLEU after each epoch.
        links: word alignments to be guided by.
    """

    def __init__(
        self,
        model: Translator,
        settings: TranslationSettings,
        train: PairCorpus,
        valid: PairCorpus,
        measure: Measure | None = None,
        links: Links | None = None,
    ) -> None:
        self.model, self.settings = model, settings
        self.train, self.valid = train, valid
        self.measure, self.links = measure, links
        self.begin_epoch(0)
        self.updates_per_epoch = len(self.batches)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the batches; there are as many in every epoch."""
        s, limits = self.settings, {"max_sentences": self.settings.batch_size}
        if s.batch_tokens:
            limits = {"max_tokens": s.batch_tokens}
        self.epoch = epoch
        self.batches = token_batches(self.train.lengths, **limits, seed=s.seed, epoch=epoch)

    def loss(self, update: int) -> tuple[Tensor, int]:
        s, rows = self.settings, distributed.share(self.batches[update])
        empty = len(rows) == 0
        rows = self.batches[update][:1] if empty else rows
        dropout = (s.bpe_dropout, s.bpe_dropout)
        batch = pair_batch(self.train, rows, dropout=dropout, seed=s.seed, epoch=self.epoch)
        tokens = int(batch.tgt_lengths.sum())
        if s.risk and self.epoch >= s.risk_after:
            (seed,) = np.random.SeedSequence([s.seed, self.epoch]).generate_state(1).tolist()
            loss = expected_risk(self.model, batch, s.risk, self.train.tgt.tokeniser.eos_id, seed)
        else:
            loss = self.cross_entropy(batch)
        return loss / tokens, 0 if empty else tokens

    def cross_entropy(self, batch: PairBatch) -> Tensor:
        """The sum of what the words cost, with what the settings add."""
        s, inputs = self.settings, batch.tgt_in
        features = self._read(batch, inputs)
        if share := s.scheduled_sampling * self.epoch / s.epochs:
            features = self._read(batch, own_words(self.model, features, inputs, share))
        loss, alignment = self.model.loss(features, batch.tgt_out), features.alignment
        if alignment is not None and s.coverage_loss:
            loss = loss + s.coverage_loss * coverage_loss(alignment)
        if alignment is not None and self.links and s.guided:
            loss = loss + s.guided * guided_loss(alignment, self._links(alignment, batch.rows))
        return loss

    def restore(self, carry: dict[str, Tensor]) -> None:
        """Nothing is carried: every pair begins anew."""

    def validate(self) -> dict[str, float]:
        """Mean loss over the validation pairs in nats per token, its perplexity, and BLEU."""
        nats, tokens = 0.0, 0
        for losses, count in pair_losses(self.model, self.valid):
            nats, tokens = nats + losses, tokens + count
        figures = {"loss": nats / tokens, **self.figures(nats / tokens)}
        return figures | ({"bleu": self.measure()} if self.measure else {})

    def criterion(self, figures: Mapping[str, float]) -> float:
        """The loss, or BLEU where that decides."""
        return -figures["bleu"] if self.settings.choose == "bleu" else figures["loss"]

    def _read(self, batch: PairBatch, inputs: Tensor) -> Features:
        align = bool(self.settings.coverage_loss or self.settings.guided)
        features: Features = self.model(
            batch.src, batch.src_lengths, inputs, batch.tgt_lengths, align=align
        )
        return features

    def _links(self, alignment: Tensor, rows: Tensor) -> Tensor:
        """The links of a batch, (T, B, S) bool."""
        assert self.links is not None
        found = torch.zeros(alignment.shape, dtype=torch.bool)
        for column, line in enumerate(self.train.lines[rows.numpy()]):
            for source, target in self.links[int(line)]:
                found[target, column, source] = True
        return found
