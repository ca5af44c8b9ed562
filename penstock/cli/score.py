"""``penstock score MODEL``: the log-probability of every line of stdin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.options import Json, Model, Threads, print_json, use_threads
from penstock.cli.stdin import StdinLines
from penstock.cli.translators import is_translator, score_pairs
from penstock.scoring.counted import Counted
from penstock.scoring.scorer import open_model

if TYPE_CHECKING:
    from penstock.models.language import LanguageModel
    from penstock.text import Tokeniser

__all__ = ["score"]

BATCH = 64
"""Lines scored side by side, when they are short."""
ROOM = 1 << 12
"""Tokens that fit in a batch, padding counted; a longer line is read piece by piece."""


def score(
    folder: Model,
    *,
    by_token: Annotated[
        bool,
        typer.Option("--tokens", help="each token's as well; of n-grams also how long they are"),
    ] = False,
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """For each line of stdin: log-probability in nats, tokens with <eos>, the line.

    A translator reads source, tab, translation, and tells what the translation costs.
    """
    use_threads(threads)
    lines = StdinLines(strict=True)
    if is_translator(folder):
        score_pairs(folder, lines, partial(_show, by_token=by_token, as_json=as_json))
        return
    opened = open_model(folder)
    tokeniser, names = opened.tokeniser, opened.tokeniser.tokens
    for batch in _batches(tokeniser, lines):
        rows = [ids for _, ids in batch]
        orders: Iterable[Sequence[int]] = repeat(())
        if isinstance(opened, Counted):
            scores, orders = _counted(opened, rows)
        else:
            scores = _scores(opened.model, tokeniser, rows)
        for (line, ids), log_ps, found in zip(batch, scores, orders, strict=False):
            tokens = [(names[symbol], log_p) for symbol, log_p in zip(ids, log_ps, strict=True)]
            _show(line, tokens, by_token, as_json, found)


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


def _counted(opened: Counted, rows: list[list[int]]) -> tuple[list[list[float]], list[list[int]]]:
    """The log-probability of every token of every row under n-grams, and the order found."""
    log_ps, orders = opened.scores(np.array([symbol for row in rows for symbol in row]))
    stops = np.cumsum([len(row) for row in rows])[:-1]
    split = ([part.tolist() for part in np.split(all_rows, stops)] for all_rows in (log_ps, orders))
    return next(split), next(split)


def _scores(model: LanguageModel, tokeniser: Tokeniser, rows: list[list[int]]) -> list[list[float]]:
    """The log-probability of every token of every row, each read from the first state."""
    import torch

    from penstock.scoring.losses import sentence_losses, token_losses

    if len(rows) == 1:
        ids = np.array(rows[0])
        return [(-token_losses(model, ids, tokeniser.eos_id)).tolist()]
    targets = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], padding_value=-1)
    first = torch.full((1, len(rows)), tokeniser.eos_id)
    inputs = torch.cat([first, targets[:-1].clamp(min=0)])
    lengths = torch.tensor([len(row) for row in rows])
    log_ps = -sentence_losses(model, inputs, targets, lengths)
    return [log_ps[: len(row), column].tolist() for column, row in enumerate(rows)]


def _show(
    line: str,
    tokens: list[tuple[str, float]],
    by_token: bool,
    as_json: bool,
    orders: Sequence[int] = (),
) -> None:
    """Tell what a line costs, and its tokens, of n-grams with the order that was found."""
    total = sum(log_p for _, log_p in tokens)
    if as_json:
        record: dict[str, Any] = {"log_p": total, "tokens": len(tokens), "line": line}
        more = {"by_token": tokens} | ({"orders": orders} if orders else {})
        print_json(record | (more if by_token else {}))
        return
    print(f"{total:.4f}\t{len(tokens)}\t{line}")
    for number, (token, log_p) in enumerate(tokens if by_token else ()):
        print(f"  {log_p:.4f}\t{token}" + (f"\t{orders[number]}" if orders else ""))
