"""Estimating an n-gram model from a text."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.counting.counts import MEMORY, check_order, count_ngrams
from penstock.counting.model import NGramModel
from penstock.counting.recursion import Plan, probabilities
from penstock.counting.smoothing.base import SMOOTHINGS, Smoothing
from penstock.counting.vocabulary import Array, Vocabulary
from penstock.errors import ConfigError, unknown
from penstock.progress import Progress

__all__ = ["estimate", "plan"]


def estimate(
    ids: Array,
    vocabulary: Vocabulary,
    *,
    order: int = 5,
    smoothing: str | Smoothing = "modified-kneser-ney",
    style: str = "",
    prune: Sequence[int] = (),
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> NGramModel:
    """The n-gram model of a text.

    Args:
        ids: (tokens,) ids of the text, ``</s>`` after every sentence.
        order: from 1 to 16.
        smoothing: a method or its name.
        style: "interpolated" or "backed-off"; by default the first that the method allows.
        prune: for the orders 1, 2, ...: n-grams that occur so often or less are left out; the
            first must be 0, the numbers must not fall, the last holds for all higher orders.
        memory: bytes for sorting, above which counts go to the disk.
        progress: called with the orders counted and all there are.

    Raises:
        ConfigError: for an option that cannot be.
        DataError: for a text without a token, or ids that are not the vocabulary's.

    >>> v = Vocabulary(["a", "b"])
    >>> ids = v.encode_text("a b\\na\\n")
    >>> model = estimate(ids, v, order=2, smoothing="witten-bell")
    >>> round(10 ** model.score("a"), 3)  # p(a | <s>) p(</s> | a) = 2.34 / 3 * 1.69 / 4
    0.33
    """
    chosen = plan(order, smoothing, style, prune)
    with count_ngrams(ids, vocabulary, order, memory=memory, progress=progress) as counts:
        return probabilities(counts, vocabulary, chosen)


def plan(order: int, smoothing: str | Smoothing, style: str, prune: Sequence[int]) -> Plan:
    """The options of :func:`estimate`, checked."""
    check_order(order)
    method = smoothing if isinstance(smoothing, Smoothing) else SMOOTHINGS[smoothing]()
    return Plan(method, _style(method, style), _thresholds(prune, order))


def _style(method: Smoothing, style: str) -> str:
    if not style:
        return method.styles[0]
    if style not in Smoothing.styles:
        raise unknown("n-gram model", "style", style, Smoothing.styles)
    if style not in method.styles:
        raise ConfigError(
            f"n-gram model: expected style {method.styles[0]!r} for {method.name}, got {style=}."
        )
    return style


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    given = list(prune) or [0]
    if given[0] != 0 or len(given) > order or sorted(given) != given:
        raise ConfigError(
            "n-gram model: expected prune as 0 and then numbers that do not fall, one for each "
            f"order up to {order} at most, got prune={tuple(prune)}."
        )
    return given + [given[-1]] * (order - len(given))
