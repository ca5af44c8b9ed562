"""``penstock quickstart``: three cells on English prose, in a few minutes, nothing downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.options import Json, Quiet, Threads, use_threads

__all__ = ["quickstart"]


def quickstart(
    *,
    out: Annotated[Path, typer.Option(help="folder for what it leaves")] = Path("quickstart"),
    cells: Annotated[str, typer.Option(help="cells to compare")] = "elman,gru,lstm",
    epochs: Annotated[int, typer.Option(min=1, help="passes over the text")] = 6,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train language models on the prose every Python carries, compare cells, write text."""
