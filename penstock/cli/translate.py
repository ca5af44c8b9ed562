"""``penstock translate MODEL ...``: a translation of every line of stdin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import (
    Json,
    Quiet,
    Threads,
    Weights,
    use_threads,
    weights_of,
    with_settings,
)
from penstock.cli.search_options import SearchOptions, search_options
from penstock.cli.stdin import StdinLines
from penstock.cli.translations import shown
from penstock.cli.translators import trained_beam
from penstock.errors import ConfigError
from penstock.scoring.scorer import open_model

if TYPE_CHECKING:
    from penstock.text import SentenceTokeniser
    from penstock.translation.fusion import Fusion

__all__ = ["translate"]


@with_settings(SearchOptions)
def translate(
    models: Annotated[list[Path], typer.Argument(help="folder of a translator; several as one")],
    *,
    weights: Weights = "",
    lm: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="language model that advises: folder or n-grams"),
    ] = None,
    constraints: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="for each line what must and must not come, as JSON"),
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="word or phrase that never comes; repeatable"),
    ] = None,
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
    from penstock.translation.demands import read_demands
    from penstock.translation.system import load_translator
    from penstock.translation.translating import translate as translations

    use_threads(threads)
    settings = search_options("translate", given, fused=lm is not None)
    shares = weights_of(weights, len(models))
    if not all(text.strip() for text in forbid or ()):
        raise ConfigError("translate: expected a word or phrase with --forbid, got an empty one.")
    demands = read_demands(constraints) if constraints else None
    systems = [load_translator(path) for path in models]
    finder = settings.finder(systems, trained_beam(systems[0]))
    if alignments and not any(system.model.attends for system in systems):
        raise ConfigError(
            f"translate: expected a translator with attention for --alignments, got {models[0]}."
        )
    window = 1 if sys.stdin.isatty() else window
    lines, failed, cut = StdinLines(), [], []
    with counter("translated", quiet=quiet or sys.stdin.isatty()) as told:
        finder = replace(
            finder,
            weights=shares,
            fusion=_fusion(lm, systems[0].target, settings.lm_weight, quiet) if lm else None,
            forbidden=forbid or (),
            attention=alignments or as_json,
            replace_unknown=not keep_unknown,
        )
        found = translations(finder, lines, demands, window=window, progress=told)
        for number, one in enumerate(found):
            failed += [number + 1] if one.failed else []
            cut += [number + 1] if one.cut else []
            for line in shown(number, one, settings.nbest, alignments, as_json):
                print(line)
            if window == 1:
                sys.stdout.flush()
    _warn("not UTF-8, read as well as could be", lines.damaged)
    _warn("no translation within the constraints, left empty", failed)
    _warn(f"cut at --max-length {settings.max_length}", cut)


def _fusion(path: Path, target: SentenceTokeniser, weight: float, quiet: bool) -> Fusion:
    """The language model in a folder or a file, in the tokens of the translator."""
    from penstock.translation.fusion import fitted

    opened = open_model(path)
    fusion = fitted(opened.symbols(), opened.tokeniser, target, weight, name=str(path))
    if fusion.lacking and not quiet:
        words = f"{fusion.lacking:,} of the translator's {target.vocab_size:,} tokens"
        print(f"penstock: {path}: {words} are its <unk>", file=sys.stderr)
    return fusion


def _warn(what: str, lines: Sequence[int]) -> None:
    """Tell what is the matter with some lines, if there are any."""
    if lines:
        some = ", ".join(map(str, lines[:5])) + ", ..." * (len(lines) > 5)
        print(f"penstock: {what}: stdin:{some}", file=sys.stderr)
