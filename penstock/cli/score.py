"""``penstock score MODEL``: the log-probability of every line of stdin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from penstock.cli.score_pairs import Show, from_lines, score_nbest, score_pairs
from penstock.cli.stdin import StdinLines
from penstock.cli.translators import is_translator
from penstock.errors import ConfigError
from penstock.scoring.scorer import open_models

if TYPE_CHECKING:
    from penstock.text import Tokeniser

__all__ = ["score"]

BATCH = 64
"""Lines scored side by side, when they are short."""
ROOM = 1 << 12
"""Tokens that fit in a batch, padding counted; a longer line is read piece by piece."""


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
    shares = weights_of(weights, len(models))
    lines, opened = StdinLines(strict=True), open_models(models, shares, threads=threads)
    names = opened.tokeniser.tokens
    for batch in _batches(opened.tokeniser, lines):
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


def _batches(tokeniser: Tokeniser, lines: Iterable[str]) -> Iterator[list[tuple[str, list[int]]]]:
    """The lines with their ids, in order, as many at a time as fit when padded."""
    batch: list[tuple[str, list[int]]] = []
    longest = 0
    for line in lines:
        ids = [*tokeniser.encode(line), tokeniser.eos_id]
        longest = max(longest, len(ids))
        if batch and (len(batch) == BATCH or longest * (len(batch) + 1) > ROOM):
            yield batch
            batch, longest = [], len(ids)
        batch.append((line, ids))
    if batch:
        yield batch


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
