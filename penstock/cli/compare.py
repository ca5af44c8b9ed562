"""``penstock compare --test FILE A B C``: models side by side on one text."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.measure import Watch
from penstock.cli.options import Json, Quiet, Threads, print_json, use_threads
from penstock.cli.scorers import Adaption, Counted, Network, open_model

if TYPE_CHECKING:
    from penstock.metrics.comparison import Candidate

__all__ = ["compare"]


def compare(
    models: Annotated[list[Path], typer.Argument(help="folders of models, files of n-grams")],
    *,
    test: Annotated[list[Path], typer.Option(help="text file, plain, .gz or .xz; repeatable")],
    sentences: Annotated[bool, typer.Option("--sentences", help="every line stands alone")] = False,
    resamples: Annotated[int, typer.Option(help="texts drawn by the bootstrap")] = 1000,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Perplexities with intervals, sizes and speeds, and which differences are no chance."""
    from penstock.cli.bar import bar
    from penstock.metrics import comparison

    use_threads(threads)
    watch = partial(bar, quiet=quiet)
    candidates = [_candidate(path, test, sentences, watch) for path in dict.fromkeys(models)]
    table = comparison.compare(candidates, resamples=resamples)
    if as_json:
        print_json(table)
        return
    _print_table(table["rows"])
    print(table["signature"])
    if not table["comparable"]:
        print(
            "penstock: the models' tokens or unknown words differ, and perplexities with them; "
            "bits per character compare if no text is unknown.",
            file=sys.stderr,
        )


def _candidate(path: Path, files: Sequence[Path], alone: bool, watch: Watch) -> Candidate:
    """Score a text with one model."""
    from penstock.metrics.comparison import Candidate
    from penstock.text import Corpus
    from penstock.training.evaluate import cost

    model, adaption = open_model(path), Adaption(alone=alone)
    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as place:
        with watch("tokenising") as told:
            corpus = Corpus.build(list(files), model.tokeniser, place, "test", progress=told)
        corpus.check_known(", ".join(map(str, files)))
        with watch(f"scoring with {path}") as told:
            began = time.perf_counter()
            losses = -model.log_probs(corpus.ids, adaption, told)
            seconds = time.perf_counter() - began
        starts = np.flatnonzero(corpus.ids[:-1] == model.tokeniser.eos_id) + 1
    starts = np.concatenate([[0], starts])
    return Candidate(
        name=str(path),
        nats=np.add.reduceat(losses, starts),
        tokens=np.diff(starts, append=len(losses)),
        cost=cost(corpus, float(losses.sum()), model.context(adaption)),
        **_sizes(model),
        seconds=seconds,
    )


def _sizes(model: Network | Counted) -> dict[str, int]:
    """Parameters, and bytes of the files that are needed."""
    if not isinstance(model, Network):
        return {"parameters": sum(model.model.sizes), "bytes": model.path.stat().st_size}
    from penstock.models import store
    from penstock.text.tokenise import FILE

    needed = (store.DESCRIPTION, store.WEIGHTS, FILE)
    return {
        "parameters": sum(weight.numel() for weight in model.model.parameters()),
        "bytes": sum((model.path / name).stat().st_size for name in needed),
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    width = max(len("model"), *(len(row["model"]) for row in rows))
    print(
        f"{'model':{width}}{'perplexity':>12}{'interval':>20}{'p':>8}{'bits/char':>11}"
        f"{'unknown':>9}{'parameters':>12}{'MB':>8}{'tokens/s':>11}  context"
    )
    for row in rows:
        low, high = row["interval"]
        chance = "best" if row["p_value"] is None else f"{row['p_value']:.3f}"
        print(
            f"{row['model']:{width}}{row['perplexity']:12.2f}{f'{low:.2f} - {high:.2f}':>20}"
            f"{chance:>8}{row['bits_per_character']:11.4f}{row['unknown']:9,}"
            f"{row['parameters']:12,}{row['bytes'] / 1e6:8.1f}{row['tokens_per_second']:11,.0f}"
            f"  {row['context']}"
        )
