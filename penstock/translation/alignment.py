"""Words aligned by a translation's attention."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.search import Hypothesis
from penstock.translation.system import System

__all__ = ["looking", "replaced", "word_links"]


def looking(systems: Sequence[System]) -> list[int]:
    """Numbers of the systems whose attention counts; none if none looks back.

    They are the first that does, and the others that cut a source as it does.
    """
    prints = {n: one.source.fingerprint for n, one in enumerate(systems) if one.model.attends}
    return [n for n, own in prints.items() if own == next(iter(prints.values()))]


def word_links(system: System, line: str, hypothesis: Hypothesis) -> list[tuple[int, int]]:
    """Pairs of a source word and a target word, from 0, in order.

    Each token of the translation is linked to the source token it looked at most; words are as
    the tokenisers part them. What looked at the end of the source is linked to nothing.

    Args:
        hypothesis: a translation of ``line``, with its attention.
    """
    assert hypothesis.attention is not None
    ids = system.source.encode(line)
    ours = system.source.word_numbers(ids)
    theirs = system.target.word_numbers(hypothesis.ids)
    # The last column in use is that of <eos>.
    looked = hypothesis.attention[: len(theirs), : len(ids) + 1].argmax(-1).tolist()
    links = {
        (ours[place], word) for word, place in zip(theirs, looked, strict=True) if place < len(ours)
    }
    return sorted(links)


def replaced(system: System, line: str, hypothesis: Hypothesis) -> str:
    """The translation with source words for its ``<unk>``, for tokens that are words.

    Args:
        hypothesis: a translation of ``line``, with its attention.
    """
    assert hypothesis.attention is not None
    words, names = system.source.words(line), system.target.tokeniser.tokens
    ours = system.source.word_numbers(system.source.encode(line))
    text = []
    for symbol, looked in zip(hypothesis.ids, hypothesis.attention, strict=False):
        known = symbol != system.target.unk_id
        place = int(looked[: len(ours)].argmax())
        text.append(names[symbol] if known else words[ours[place]])
    return system.target.preparation.undo(" ".join(text))
