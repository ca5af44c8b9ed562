"""``penstock score DIR < text``: the log-probability of every line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.options import Json, Threads, use_threads
from penstock.errors import DataError

__all__ = ["score"]

BATCH = 64


def score(
    folder: Annotated[Path, typer.Argument(help="folder of a model")],
    *,
    by_token: Annotated[bool, typer.Option("--tokens", help="each token's as well")] = False,
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """For each line of stdin: log-probability in nats, tokens with <eos>, the line."""
    from penstock.models import store
    from penstock.text import Tokeniser

    use_threads(threads)
    model, tokeniser = store.load_model(folder), Tokeniser.load(folder)
    lines = _lines()
    while batch := list(islice(lines, BATCH)):
        for line, row in zip(batch, _score(model, tokeniser, batch), strict=True):
            _show(line, row, by_token, as_json)


def _lines() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"stdin:{number}: is not UTF-8 ({error.reason}).") from None


def _score(model: Any, tokeniser: Any, lines: list[str]) -> list[list[tuple[str, float]]]:
    """Every line's tokens with their log-probabilities."""
    import torch

    from penstock.training.evaluate import sentence_losses

    rows = [[*tokeniser.encode(line), tokeniser.eos_id] for line in lines]
    lengths = torch.tensor([len(row) for row in rows])
    targets = torch.full((int(lengths.max()), len(rows)), -1)
    for column, row in enumerate(rows):
        targets[: len(row), column] = torch.tensor(row)
    first = torch.full((1, len(rows)), tokeniser.eos_id)
    inputs = torch.cat([first, targets[:-1].clamp(min=0)])
    losses = sentence_losses(model, inputs, targets, lengths)
    names = tokeniser.tokens
    return [
        [(names[symbol], -float(losses[t, column])) for t, symbol in enumerate(row)]
        for column, row in enumerate(rows)
    ]


def _show(line: str, row: list[tuple[str, float]], by_token: bool, as_json: bool) -> None:
    total = sum(log_p for _, log_p in row)
    if as_json:
        record: dict[str, Any] = {"log_p": total, "tokens": len(row), "line": line}
        if by_token:
            record["by_token"] = row
        print(json.dumps(record, ensure_ascii=False))
        return
    print(f"{total:.4f}\t{len(row)}\t{line}")
    if by_token:
        for token, log_p in row:
            print(f"  {log_p:.4f}\t{token}")
