"""How good a translator is on sentence pairs: BLEU, chrF, TER and perplexity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from penstock.metrics.perplexity import Perplexity
from penstock.metrics.translation import Metric, Score
from penstock.models.translator import Translator
from penstock.progress import Progress, adding, silent
from penstock.search import Beam
from penstock.text import PairCorpus, pair_batch, token_batches
from penstock.text.pairs import Pair
from penstock.translation.finder import Finder
from penstock.translation.system import System
from penstock.translation.translating import translate

__all__ = ["KINDS", "TranslationScores", "bleu_of", "evaluate_pairs", "pair_losses"]

TOKENS = 8192
"""Of a batch whose perplexity is measured."""
KINDS = ("bleu", "chrf", "ter")
"""Metrics of an evaluation."""


@dataclass(frozen=True)
class TranslationScores:
    """What was measured.

    Attributes:
        scores: each with its signature, BLEU first.
        perplexity: of the true translations, a token.
        translations: the best of each line.
    """

    scores: tuple[Score, ...]
    perplexity: Perplexity | None
    translations: list[str]

    @property
    def bleu(self) -> Score:
        """BLEU."""
        return self.scores[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        named = {
            score.name: {
                "value": score.value,
                "signature": score.signature,
                "interval": score.interval,
            }
            for score in self.scores
        }
        more = {"perplexity": self.perplexity.as_dict()} if self.perplexity else {}
        return {**named, **more}


def evaluate_pairs(
    finder: Finder,
    pairs: Sequence[Pair],
    *,
    bleu: str = "bleu",
    resamples: int = 0,
    progress: Progress = silent,
) -> TranslationScores:
    """Translate and compare with the true translations.

    Args:
        finder: of the translations; perplexity is that of a system alone.
        bleu: the kind of BLEU, of :data:`penstock.metrics.translation.KINDS`.
        resamples: texts drawn for intervals, none when 0.
        progress: told how many lines are translated, and of how many.
    """
    sources, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    advance = adding(progress, len(pairs))
    translations = [one.texts[0] for one in translate(finder, sources, progress=advance)]
    scores = tuple(
        Metric(kind, references).score(translations, resamples=resamples)
        for kind in (bleu, *KINDS[1:])
    )
    cost = _perplexity(finder.systems[0], pairs) if len(finder.systems) == 1 else None
    return TranslationScores(scores, cost, translations)


def bleu_of(system: System, pairs: Sequence[Pair], kind: str, beam: int) -> float:
    """BLEU alone, as it is asked for while training."""
    sources, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = translate(Finder([system], Beam(beam)), sources)
    return Metric(kind, references).score([one.texts[0] for one in found]).value


def _perplexity(system: System, pairs: Sequence[Pair]) -> Perplexity:
    corpus = PairCorpus.from_pairs(pairs, system.tokenisers)
    nats, unknown = 0.0, system.target.unk_id
    for losses, _ in pair_losses(system.model, corpus):
        nats += losses
    return Perplexity(
        nats=nats,
        tokens=len(corpus.tgt.ids),
        characters=sum(len(target) + 1 for _, target in pairs),
        unknown=0 if unknown is None else int((corpus.tgt.ids == unknown).sum()),
        context="the source sentence",
    )


@torch.no_grad()
def pair_losses(model: Translator, corpus: PairCorpus) -> Iterator[tuple[float, int]]:
    """What the translations of a corpus cost, in nats, and their tokens, batch by batch."""
    limits: dict[str, Any] = {"max_tokens": TOKENS, "seed": 0, "epoch": 0}
    for rows in token_batches(np.asarray(corpus.lengths), **limits):
        batch = pair_batch(corpus, rows)
        features = model(batch.src, batch.src_lengths, batch.tgt_in, batch.tgt_lengths)
        losses = model.losses(features, batch.tgt_out)
        yield float(losses.double().sum()), int(batch.tgt_lengths.sum())
