"""``penstock score MODEL``: the log-probability of every line of stdin."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.options import (
    Json,
    Threads,
    Weights,
    print_json,
    refuse,
    use_threads,
    weights_of,
)
from penstock.cli.pairs import SourceFiles, TargetFiles, pair_files
from penstock.cli.score_pairs import Show, batches, from_lines, score_nbest, score_pairs
from penstock.cli.stdin import StdinLines
from penstock.cli.translators import is_translator
from penstock.errors import ConfigError
from penstock.scoring.scorer import open_models

__all__ = ["score"]


def score(
    context: typer.Context,
    models: Annotated[
        list[Path], typer.Argument(help="folder of a model or file of n-grams; several as one")
    ],
    *,
    by_token: Annotated[
        bool, typer.Option("--tokens", help="each token's as well, and the n-gram's length")
    ] = False,
    src: SourceFiles = None,
    tgt: TargetFiles = None,
    nbest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="n-best list of --src, to be scored")
    ] = None,
    weight: Annotated[
        float, typer.Option(help="of that score in the list's own, which orders it anew")
    ] = 0.0,
    weights: Weights = "",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """For each line of stdin: log-probability in nats, tokens with <eos>, the line.

    Translators read source, tab, translation, or --src and --tgt, and tell what the translation
    costs; of an n-best list they make one with a feature more.
    """
    use_threads(threads)
    if is_translator(models[0]):
        refuse(context, ("weights",), f"{models[0]} is a translator")
        _of_translators(models, src, tgt, nbest, weight, partial(_show, by_token, as_json))
        return
    refuse(context, ("src", "tgt", "nbest", "weight"), f"{models[0]} is no translator")
    if len(models) == 1:
        refuse(context, ("weights",), "there is one model")
    opened = open_models(models, weights_of(weights, len(models)), threads=threads)
    tokeniser, names = opened.tokeniser, opened.tokeniser.tokens
    lines = StdinLines(strict=True)
    rows = ((line, [*tokeniser.encode(line), tokeniser.eos_id]) for line in lines)
    for batch in batches(rows, lambda row: len(row[1])):
        found = opened.of_lines([ids for _, ids in batch])
        for (line, ids), (log_ps, orders) in zip(batch, found, strict=True):
            tokens = [(names[symbol], log_p) for symbol, log_p in zip(ids, log_ps, strict=True)]
            _show(by_token, as_json, line, tokens, sum(log_ps), orders)


def _of_translators(
    models: Sequence[Path],
    src: Sequence[Path] | None,
    tgt: Sequence[Path] | None,
    nbest: Path | None,
    weight: float,
    show: Show,
) -> None:
    """Score pairs, or an n-best list."""
    if nbest:
        if not src or len(src) > 1 or tgt:
            raise ConfigError("score: expected one --src FILE and no --tgt with --nbest.")
        for line in score_nbest(models, src[0], nbest, weight):
            print(line)
        return
    pairs = pair_files(src, tgt)
    rows = ((f"{a}\t{b}", a, b) for a, b in pairs) if pairs else from_lines(StdinLines(strict=True))
    score_pairs(models, rows, show)


def _show(
    by_token: bool,
    as_json: bool,
    line: str,
    tokens: list[tuple[str, float]],
    total: float,
    orders: Sequence[int] = (),
) -> None:
    """Tell what a line costs, and its tokens, of n-grams with the order that was found."""
    if as_json:
        record: dict[str, Any] = {"log_p": total, "tokens": len(tokens), "line": line}
        more = {"by_token": tokens} | ({"orders": orders} if orders else {})
        print_json(record | (more if by_token else {}))
        return
    print(f"{total:.4f}\t{len(tokens)}\t{line}")
    for number, (token, log_p) in enumerate(tokens if by_token else ()):
        print(f"  {log_p:.4f}\t{token}" + (f"\t{orders[number]}" if orders else ""))
