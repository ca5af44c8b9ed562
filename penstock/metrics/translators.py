"""Translators side by side on one text: the tables of lecture 000, with what chance can explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import DataError
from penstock.metrics.significance import p_value
from penstock.metrics.translation import Metric

__all__ = ["Translated", "check_complete", "compare_translated"]


@dataclass(frozen=True)
class Translated:
    """What one way of translating made of a text.

    Attributes:
        name: what the reader knows it by.
        hyps: a translation of each sentence.
        beam: hypotheses that were kept (None: nothing was searched).
        parameters: weights that were learnt, of all models of an ensemble.
        seconds: that translating the text took.
        is_bound: whether it has seen the references, as an oracle has.
    """

    name: str
    hyps: Sequence[str]
    beam: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    is_bound: bool = False


def compare_translated(
    systems: Sequence[Translated],
    *references: Sequence[str],
    kind: str = "bleu",
    others: Sequence[str] = ("chrf", "ter"),
    tokenize: str = "",
    resamples: int = 1000,
    trials: int = 10_000,
) -> dict[str, Any]:
    """The table of several systems in their order, as plain data.

    Args:
        systems: at least one.
        references: as of :class:`~penstock.metrics.translation.Metric`.
        kind: of the metric with interval and p-value.
        others: further metrics.
        tokenize: how BLEU cuts words, if not by 13a.
        resamples: texts that the bootstrap draws for an interval.
        trials: of the randomisation for a p-value.

    Returns:
        rows: of each system; ``p_value`` is that of its difference from the best, None for the
            best itself and for one that has seen the references.
        best: place of the best row.
        signatures: of each metric.
        chance: what intervals and p-values mean.

    Raises:
        DataError: a system did not translate every sentence.
    """
    if not systems:
        raise DataError("compare: expected at least one system, got none.")
    check_complete(systems, references[0] if references else ())
    metric = Metric(kind, *references, tokenize=tokenize)
    beside = {name: Metric(name, *references) for name in others}
    tables = [metric.statistics(system.hyps) for system in systems]
    values = [metric.value(table.sum(0)) for table in tables]
    best = _best(systems, values, metric.kind.falls)
    rows = []
    for system, table, value in zip(systems, tables, values, strict=True):
        scores = {name: other.score(system.hyps).value for name, other in beside.items()}
        row = _row(system, {kind: value, **scores})
        row["interval"] = metric.interval(table, resamples=resamples)
        if system is not systems[best] and not system.is_bound:
            row["p_value"] = p_value(metric, table, tables[best], trials=trials)
        rows.append(row)
    return {
        "rows": rows,
        "best": best,
        "signatures": {name: m.signature for name, m in {kind: metric, **beside}.items()},
        "chance": f"intervals: 95% of {resamples:,} texts drawn from the {metric.lines:,} lines; "
        f"p: of the difference from the best in {metric.kind.name}, approximate randomisation, "
        f"{trials:,} trials",
    }


def check_complete(systems: Sequence[Translated], reference: Sequence[str]) -> None:
    """Refuse systems without a translation of every line.

    Raises:
        DataError: naming them.
    """
    wanted = len(reference)
    wrong = [f"{len(one.hyps):,} of {one.name}" for one in systems if len(one.hyps) != wanted]
    if wrong:
        raise DataError(
            f"compare: expected {wanted:,} translations, one for each reference, "
            f"got {' and '.join(wrong)}. Compare the files line by line."
        )


def _best(systems: Sequence[Translated], values: Sequence[float], falls: bool) -> int:
    """The first among equals; one that has seen the references only where all have."""
    fair = [place for place, system in enumerate(systems) if not system.is_bound]
    sign = -1 if falls else 1
    return max(fair or range(len(systems)), key=lambda place: sign * values[place])


def _row(system: Translated, scores: dict[str, float]) -> dict[str, Any]:
    return {
        "system": system.name,
        "beam": system.beam,
        "scores": scores,
        "interval": None,
        "p_value": None,
        "is_bound": system.is_bound,
        "parameters": system.parameters,
        "sentences_per_second": len(system.hyps) / system.seconds if system.seconds else None,
    }
