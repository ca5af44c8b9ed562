"""What translators make of a text, in every way that lecture 000 compares.

Its tables (Sutskever, Vinyals & Le 2014, tables 1 and 2) have single models and ensembles with
several beams, the n-best list of another system rescored by each, and the oracle of that list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from penstock.metrics import Translated, oracle
from penstock.search import Beam, Entry, Hypothesis, rescored
from penstock.search.nbest import with_feature
from penstock.translation.finder import Finder
from penstock.translation.pool import pooled
from penstock.translation.system import System
from penstock.translation.translating import translate

__all__ = ["of_list", "rescore", "searched"]

OWN = "logp"
"""Feature of the lists that Penstock writes: log p of the text."""


def searched(
    name: str,
    systems: Sequence[System],
    lines: Sequence[str],
    options: Beam,
    *,
    progress: Callable[[int], object] = lambda lines: None,
) -> Translated:
    """What one system, or several together, find by search.

    Args:
        name: what the reader knows it by.
        systems: those that translate together.
        lines: source sentences.
        options: of the search.
        progress: told after each batch how many lines it had.
    """
    began = time.perf_counter()
    hyps = [one.texts[0] for one in translate(Finder(systems, options), lines, progress=progress)]
    seconds = time.perf_counter() - began
    return Translated(name, hyps, options.size, _parameters(systems), seconds)


def of_list(
    name: str,
    lists: Sequence[Sequence[Entry]],
    lines: Sequence[str],
    systems: Mapping[str, Sequence[System]],
    *references: Sequence[str],
) -> Iterator[Translated]:
    """The first of every list, the lists rescored by each system, and their oracle.

    Args:
        name: of the lists.
        lists: hypotheses of each sentence.
        lines: source sentences.
        systems: by name, those that rescore together.
        references: that the oracle sees.
    """
    yield Translated(name, _firsts([rescored(own, {}) for own in lists]))
    for other, together in systems.items():
        began = time.perf_counter()
        hyps = _firsts(rescore(together, lines, lists))
        seconds = time.perf_counter() - began
        size = _parameters(together)
        yield Translated(f"{name} rescored by {other}", hyps, None, size, seconds)
    texts = [[entry.text for entry in entries] for entries in lists]
    yield Translated(f"oracle of {name}", oracle(texts, *references), is_bound=True)


def rescore(
    systems: Sequence[System], lines: Sequence[str], lists: Sequence[Sequence[Entry]]
) -> list[list[Entry]]:
    """The lists ordered by the even average of their own score and that of the systems.

    The systems' score is log p of the text, as in the paper. In a list that Penstock wrote, with
    log p among its features, both are log p, each divided by the number of symbols of the text.
    """
    finder = pooled(Finder(systems))
    forced = finder.force(lines, [[entry.text for entry in entries] for entries in lists])
    answers = []
    for entries, hypotheses in zip(lists, forced, strict=True):
        own, new = zip(*map(_scores, entries, hypotheses), strict=True) if entries else ((), ())
        both = with_feature(with_feature(entries, "own", own), "new", new)
        answers.append(rescored(both, {"own": 0.5, "new": 0.5}))
    return answers


def _scores(entry: Entry, one: Hypothesis) -> tuple[float, float]:
    """What the list says of a text, and what the systems say, in one unit."""
    if OWN not in entry.features:
        return entry.score, one.log_p
    return entry.features[OWN][0] / (len(one.ids) + 1), one.score


def _firsts(lists: Sequence[Sequence[Entry]]) -> list[str]:
    return [entries[0].text if entries else "" for entries in lists]


def _parameters(systems: Sequence[System]) -> int:
    weights = (weight for system in systems for weight in system.model.parameters())
    return sum(weight.numel() for weight in weights)
