"""How good a translator is on sentence pairs: BLEU, chrF, TER and perplexity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.metrics.perplexity import Perplexity
from penstock.metrics.translation import Metric, Score
from penstock.search import Beam
from penstock.text import PairCorpus
from penstock.text.pairs import Pair
from penstock.training.translating import translate
from penstock.training.translation_task import pair_losses
from penstock.training.translator_folder import System

__all__ = ["KINDS", "TranslationScores", "bleu_of", "evaluate_pairs"]

KINDS = ("bleu", "chrf", "ter")
"""Metrics of an evaluation."""
Advance = Callable[[int, int], object]


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
    systems: Sequence[System],
    pairs: Sequence[Pair],
    options: Beam,
    *,
    bleu: str = "bleu",
    weights: Sequence[float] | None = None,
    resamples: int = 0,
    progress: Advance = lambda done, total: None,
) -> TranslationScores:
    """Translate and compare with the true translations.

    Args:
        systems: one, or several that search together; perplexity is that of one alone.
        bleu: the kind of BLEU, of :data:`penstock.metrics.translation.KINDS`.
        resamples: texts drawn for intervals, none when 0.
        progress: told how many lines are translated, and of how many.
    """
    done = 0

    def advance(lines: int) -> None:
        nonlocal done
        done += lines
        progress(done, len(pairs))

    sources, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = translate(systems, sources, options, weights=weights, progress=advance)
    translations = [one.texts[0] for one in found]
    scores = tuple(
        Metric(kind, references).score(translations, resamples=resamples)
        for kind in (bleu, *KINDS[1:])
    )
    cost = _perplexity(systems[0], pairs) if len(systems) == 1 else None
    return TranslationScores(scores, cost, translations)


def bleu_of(system: System, pairs: Sequence[Pair], kind: str, beam: int) -> float:
    """BLEU alone, as it is asked for while training."""
    sources, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = translate([system], sources, Beam(beam))
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
