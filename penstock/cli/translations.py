"""How a translation is told: as text, in an n-best list, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from penstock.cli.options import print_json

if TYPE_CHECKING:
    from penstock.search import Hypothesis
    from penstock.translation.translating import Translation

__all__ = ["shown"]


def shown(
    number: int, one: Translation, nbest: int, alignments: bool, as_json: bool
) -> Iterator[str]:
    """The lines that tell a translation."""
    from penstock.search.nbest import Entry

    if as_json:
        print_json(_record(number, one))
        return
    links = [_links(one, hypothesis) for hypothesis in one.hypotheses] or [""]
    if nbest == 1:
        yield f"{one.texts[0]} ||| {links[0]}" if alignments else one.texts[0]
        return
    more = links if alignments else [None] * len(links)
    for text, hypothesis, link in zip(one.texts, one.hypotheses, more, strict=False):
        features = {"logp": (hypothesis.log_p,)}
        behind = () if link is None else (link,)
        text = text.replace("|||", "| | |")  # noqa: PLW2901  # the format has no way to say it
        yield Entry(number, text, features, hypothesis.score, behind).line()


def _links(one: Translation, hypothesis: Hypothesis) -> str:
    from penstock.translation.alignment import word_links

    if hypothesis.attention is None:
        return ""
    return " ".join(f"{i}-{j}" for i, j in word_links(one.system, one.line, hypothesis))


def _record(number: int, one: Translation) -> dict[str, Any]:
    """Everything that is known of a translation."""
    found = []
    for text, hypothesis in zip(one.texts, one.hypotheses, strict=False):
        names = one.system.target.tokeniser.tokens
        record: dict[str, Any] = {
            "text": text,
            "score": hypothesis.score,
            "log_p": hypothesis.log_p,
            "tokens": [names[symbol] for symbol in hypothesis.ids],
            "log_ps": hypothesis.log_ps,
        }
        if hypothesis.attention is not None:
            record["attention"] = hypothesis.attention.tolist()
            record["alignment"] = _links(one, hypothesis)
        found.append(record)
    tokens = one.system.source.tokens(one.line)
    best = one.texts[0]
    return {
        "number": number,
        "source": one.line,
        "source_tokens": tokens,
        "translation": best,
        "hypotheses": found,
    }
