"""``penstock translate MODEL ...``: a translation of every line of stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import Json, Quiet, Threads, print_json, use_threads, with_settings
from penstock.cli.search_options import SearchOptions
from penstock.cli.stdin import StdinLines
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.search import Hypothesis
    from penstock.training.translating import Translation
    from penstock.training.translator_folder import System

__all__ = ["numbers", "translate"]


@with_settings(SearchOptions)
def translate(
    models: Annotated[list[Path], typer.Argument(help="folder of a translator; several as one")],
    *,
    weights: Annotated[
        str, typer.Option(metavar="A,B,...", help="weights of several models [equal]")
    ] = "",
    alignments: Annotated[
        bool, typer.Option("--alignments", help="words aligned, as 0-0 1-2, behind |||")
    ] = False,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="<unk> stays where a word is not known")
    ] = False,
    window: Annotated[
        int, typer.Option(min=1, help="lines read before the first answer; 1 answers each at once")
    ] = 2048,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """For each line of stdin its translation; with several of each, an n-best list."""
    from penstock.cli.bar import counter
    from penstock.training.recipe import settings_from
    from penstock.training.translating import translate as translations
    from penstock.training.translator_folder import load_translator

    use_threads(threads)
    options = settings_from(SearchOptions, given).options()
    shares = numbers("weights", weights, len(models))
    systems = [load_translator(path) for path in models]
    if alignments and not systems[0].model.attends:
        raise ConfigError(
            f"translate: expected a translator with attention for --alignments, got {models[0]}."
        )
    window = 1 if sys.stdin.isatty() else window
    lines = StdinLines()
    with counter("translated", quiet=quiet or sys.stdin.isatty()) as told:
        found = translations(
            systems,
            lines,
            options,
            weights=shares,
            attention=alignments or as_json,
            replace_unknown=not keep_unknown,
            window=window,
            progress=told,
        )
        for number, one in enumerate(found):
            for line in _shown(number, one, systems[0], options.nbest, alignments, as_json):
                print(line)
            if window == 1:
                sys.stdout.flush()
    if lines.damaged:
        shown = ", ".join(map(str, lines.damaged[:5])) + ", ..." * (len(lines.damaged) > 5)
        print(f"penstock: not UTF-8, read as well as could be: stdin:{shown}", file=sys.stderr)


def numbers(name: str, text: str, count: int) -> list[float] | None:
    """Numbers that commas part, one for each model; None when there are none."""
    try:
        found = [float(part) for part in text.split(",")] if text else None
    except ValueError:
        found = []
    if found is not None and len(found) != count:
        raise ConfigError(f"translate: expected {name} as {count} numbers, got {text!r}.")
    return found


def _shown(
    number: int, one: Translation, system: System, nbest: int, alignments: bool, as_json: bool
) -> Iterator[str]:
    """The lines that tell a translation."""
    from penstock.search.nbest import Entry

    if as_json:
        print_json(_record(number, one, system))
        return
    links = [_links(one, hypothesis, system) for hypothesis in one.hypotheses] or [""]
    if nbest == 1:
        yield f"{one.texts[0]} ||| {links[0]}" if alignments else one.texts[0]
        return
    more = links if alignments else [None] * len(links)
    for text, hypothesis, link in zip(one.texts, one.hypotheses, more, strict=False):
        features = {"logp": (hypothesis.log_p,)}
        behind = () if link is None else (link,)
        text = text.replace("|||", "| | |")  # noqa: PLW2901  # the format has no way to say it
        yield Entry(number, text, features, hypothesis.score, behind).line()


def _links(one: Translation, hypothesis: Hypothesis, system: System) -> str:
    from penstock.training.alignment import word_links

    if hypothesis.attention is None:
        return ""
    return " ".join(f"{i}-{j}" for i, j in word_links(system, one.line, hypothesis))


def _record(number: int, one: Translation, system: System) -> dict[str, Any]:
    """Everything that is known of a translation."""
    found = []
    for text, hypothesis in zip(one.texts, one.hypotheses, strict=False):
        names = system.target.tokeniser.tokens
        record: dict[str, Any] = {
            "text": text,
            "score": hypothesis.score,
            "log_p": hypothesis.log_p,
            "tokens": [names[symbol] for symbol in hypothesis.ids],
            "log_ps": hypothesis.log_ps,
        }
        if hypothesis.attention is not None:
            record["attention"] = hypothesis.attention.tolist()
            record["alignment"] = _links(one, hypothesis, system)
        found.append(record)
    tokens = system.source.tokens(one.line)
    best = one.texts[0]
    return {
        "number": number,
        "source": one.line,
        "source_tokens": tokens,
        "translation": best,
        "hypotheses": found,
    }
