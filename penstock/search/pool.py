"""Models with different symbols for the same text, as one.

They cannot vote on the next symbol, because their symbols end at different places.  But each can
say what a whole text costs: the n best of all are pooled as texts, every model scores every one of
them in its own symbols (:func:`~penstock.search.force.force`), and the weighted sum decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from penstock.errors import ConfigError
from penstock.search.nbest import Entry, with_feature
from penstock.search.rescore import rescored

__all__ = ["Scorer", "pooled"]

Scorer = Callable[[Sequence[Sequence[str]]], Sequence[Sequence[float]]]
"""Texts of each sentence -> their log-probabilities."""


def pooled(
    lists: Sequence[Sequence[Sequence[str]]],
    scorers: Mapping[str, Scorer],
    weights: Mapping[str, float] | None = None,
) -> list[list[Entry]]:
    """The texts of all lists for each sentence, without repeats, best first.

    Each has one feature a scorer, by its name, so that other weights can be tried with
    :func:`~penstock.search.rescore.rescored`.

    Args:
        lists: from each model the texts of each sentence.
        scorers: by name; they may be other models than those that made the lists.
        weights: by name, all equal by default.

    Raises:
        ConfigError: lists of different numbers of sentences.

    >>> def short(texts):
    ...     return [[-len(text) for text in several] for several in texts]
    >>> [entry.text for entry in pooled([[["aaa", "aa"]], [["aa", "a"]]], {"short": short})[0]]
    ['a', 'aa', 'aaa']
    """
    if len({len(sentences) for sentences in lists}) > 1:
        raise ConfigError(
            "pooled: expected lists of the same sentences, got "
            f"{', '.join(str(len(sentences)) for sentences in lists)} sentences."
        )
    together = zip(*lists, strict=True)
    texts = [list(dict.fromkeys(text for own in several for text in own)) for several in together]
    entries = [[Entry(n, text) for text in several] for n, several in enumerate(texts)]
    for name, score in scorers.items():
        values = score(texts)
        entries = [
            with_feature(several, name, own) for several, own in zip(entries, values, strict=True)
        ]
    weights = dict.fromkeys(scorers, 1 / max(len(scorers), 1)) if weights is None else weights
    return [rescored(several, weights) for several in entries]
