"""BLEU, chrF and TER of translations by sacreBLEU, each with the signature that defines it.

Papineni et al. 2002 (BLEU), Popović 2015 (chrF), Snover et al. 2006 (TER); Post 2018 on why a score
without its signature says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.errors import ConfigError, DataError, unknown
from penstock.metrics.bootstrap import quantiles, resample
from penstock.registry import Registry

__all__ = ["KINDS", "TOKENISERS", "Kind", "Metric", "Score", "looks_tokenised"]


@dataclass(frozen=True)
class Kind:
    """A metric as people name it.

    Attributes:
        name: as sacreBLEU writes it.
        family: class of sacreBLEU that computes it.
        options: with which that is made.
        note: what the signature leaves out.
        falls: whether less is better.
    """

    name: str
    family: str
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    falls: bool = False

    @property
    def is_bleu(self) -> bool:
        """Whether it is a kind of BLEU."""
        return self.family == "BLEU"


KINDS = Registry(
    "Metric",
    "metric",
    {
        "bleu": Kind("BLEU", "BLEU"),
        "bleu-lc": Kind("BLEU", "BLEU", {"lowercase": True}),
        "multi-bleu": Kind(
            "BLEU",
            "BLEU",
            {"lowercase": True, "tokenize": "none", "smooth_method": "none"},
            "multi-bleu kind: text tokenised beforehand, both sides lowercased",
        ),
        "chrf": Kind("chrF2", "CHRF"),
        "chrf++": Kind("chrF2++", "CHRF", {"word_order": 2}),
        "ter": Kind("TER", "TER", falls=True),
    },
)
"""Metrics by name.

``multi-bleu`` is the figure of Moses' ``multi-bleu.perl -lc``, which most papers on recurrent
translation report: it has no tokeniser of its own and does not smooth.  Unlike the script, it
lowercases letters beyond ASCII too.
"""
TOKENISERS = ("13a", "char", "intl", "none", "zh")
"""Tokenisers of sacreBLEU that need nothing else installed."""
_SHARE_TOKENISED = 0.5


@dataclass(frozen=True)
class Score:
    """A figure and what it means.

    Attributes:
        name: of the metric.
        value: from 0 to 100; TER may be more.
        signature: what another program needs to come to the same figure.
        details: n-gram precisions, brevity penalty and lengths of BLEU.
        interval: where 95 % of the resampled texts lie, when asked for.
    """

    name: str
    value: float
    signature: str
    details: str = ""
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        interval = " [{:.2f}, {:.2f}]".format(*self.interval) if self.interval else ""
        details = f" {self.details}" if self.details else ""
        return f"{self.name}|{self.signature} = {self.value:.2f}{interval}{details}"


class Metric:
    """One metric against fixed references, whose n-grams are counted once.

    Args:
        kind: key of :data:`KINDS`.
        references: one translation of each sentence; several such lists where there are several
            translations of each.
        tokenize: one of :data:`TOKENISERS`, for BLEU of languages without blanks.

    Raises:
        ConfigError: there is no such metric or tokeniser.
        DataError: there are no references, or a list of them is shorter than another.

    Example:
        >>> metric = Metric("bleu", ["The dog bit the man.", "It was not unexpected."])
        >>> round(metric.score(["The dog bit the man.", "It was unexpected."]).value, 2)
        73.59
        >>> metric.signature.partition("|version")[0]
        'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp'
    """

    def __init__(self, kind: str, *references: Sequence[str], tokenize: str = "") -> None:
        self.kind = KINDS[kind]
        _check_references(references)
        self.lines = len(references[0])
        options: dict[str, Any] = {**self.kind.options, **_tokeniser(kind, tokenize)}
        if self.kind.is_bleu:
            options["force"] = True  # its warning of tokenised text is looks_tokenised here
        from sacrebleu import metrics

        make = getattr(metrics, self.kind.family)
        self._of_text = make(references=references, **options)
        if self.kind.is_bleu:
            options |= {"smooth_method": "exp", "effective_order": True}
        self._of_sentence = make(**options)
        note = f" ({self.kind.note})" if self.kind.note else ""
        self.signature = f"{self._of_text.get_signature()}{note}"

    def score(self, hyps: Sequence[str], *, resamples: int = 0, seed: int = 1) -> Score:
        """Of a text, one translation a line, with an interval when there are resamples.

        Raises:
            DataError: there are not as many translations as references.
            ConfigError: the resamples are too few.
        """
        rows = self.statistics(hyps)
        found = self._of_text._compute_score_from_stats(rows.sum(0).tolist())
        interval = self.interval(rows, resamples=resamples, seed=seed) if resamples else None
        details = _details(found) if self.kind.is_bleu else ""
        return Score(self.kind.name, float(found.score), self.signature, details, interval)

    def sentences(self, hyps: Sequence[str]) -> list[float]:
        """Of each sentence alone; BLEU then smooths and leaves out orders that cannot match.

        Raises:
            DataError: there are not as many translations as references.
        """
        score = self._of_sentence._compute_score_from_stats
        return [float(score(row).score) for row in self.statistics(hyps).tolist()]

    def statistics(self, hyps: Sequence[str]) -> np.ndarray:
        """What each line contributes to the figure of a text, (lines, n).

        Raises:
            DataError: there are not as many translations as references.
        """
        if isinstance(hyps, str) or len(hyps) != self.lines:
            raise DataError(
                f"{self.kind.name}: expected {self.lines:,} translations, one for each reference, "
                f"got {len(hyps):,}. Compare the files line by line."
            )
        return np.array(self._of_text._extract_corpus_statistics(hyps, None), np.float64)

    def value(self, totals: np.ndarray) -> float:
        """The figure that sums of statistics (n,) come to."""
        return float(self._of_text._compute_score_from_stats(totals.tolist()).score)

    def interval(
        self, rows: np.ndarray, *, resamples: int = 1000, seed: int = 1
    ) -> tuple[float, float]:
        """Where 95 % of the texts lie that are drawn from lines with these statistics."""
        totals = resample(rows, resamples=resamples, seed=seed)
        return quantiles(np.array([self.value(total) for total in totals]))


def looks_tokenised(lines: Sequence[str]) -> bool:
    """Whether most lines end in a full stop that stands apart, as 13a does not expect.

    >>> looks_tokenised(["a dog .", "two dogs .", "none"]), looks_tokenised(["A dog."])
    (True, False)
    """
    return sum(line.endswith(" .") for line in lines) > _SHARE_TOKENISED * len(lines)


def _tokeniser(kind: str, name: str) -> dict[str, str]:
    if not name:
        return {}
    if name not in TOKENISERS:
        raise unknown("Metric", "tokeniser", name, TOKENISERS)
    if not kind.startswith("bleu"):
        raise ConfigError(f"Metric: expected tokenize only with bleu and bleu-lc, got {kind=}.")
    return {"tokenize": name}


def _check_references(references: Sequence[Sequence[str]]) -> None:
    counts = [len(lines) for lines in references]
    if not counts or not all(counts) or any(isinstance(lines, str) for lines in references):
        raise DataError("Metric: expected references, one a sentence, got none.")
    if len(set(counts)) > 1:
        found = ", ".join(f"{count:,}" for count in counts)
        raise DataError(f"Metric: expected as many references of each kind, got {found}.")
    if not any(line.strip() for lines in references for line in lines):
        raise DataError("Metric: expected references with a word in them, got empty lines only.")


def _details(bleu: Any) -> str:
    """As sacreBLEU writes them."""
    return (
        f"{bleu.prec_str} (BP = {bleu.bp:.3f} ratio = {bleu.ratio:.3f} "
        f"hyp_len = {bleu.sys_len} ref_len = {bleu.ref_len})"
    )
