"""``penstock compare A B C``: models side by side on one text."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.compare_translators import Contest, print_table, sizes_of_beams
from penstock.cli.options import (
    FileList,
    Json,
    Quiet,
    Sentences,
    Threads,
    print_json,
    refuse,
    use_threads,
)
from penstock.cli.translators import is_translator
from penstock.errors import ConfigError
from penstock.progress import Watch
from penstock.scoring.counted import Counted, tokeniser_file
from penstock.scoring.measure import improper, read_by
from penstock.scoring.network import Network
from penstock.scoring.scorer import open_model

if TYPE_CHECKING:
    from penstock.metrics.comparison import Candidate

__all__ = ["compare"]

OF_TRANSLATORS = ("src", "beams", "bleu", "nbest", "by_length", "save")


def compare(
    context: typer.Context,
    models: Annotated[
        list[Path],
        typer.Argument(
            help="folders of models, files of n-grams; or folders of translators, A+B for both as "
            "one, and files of translations"
        ),
    ],
    *,
    test: FileList = None,
    sentences: Sentences = False,
    src: Annotated[
        Path | None, typer.Option(metavar="FILE", help="sentences that translators translate")
    ] = None,
    ref: Annotated[
        list[Path] | None,
        typer.Option("--ref", "--tgt", metavar="FILE", help="their translations; repeatable"),
    ] = None,
    beams: Annotated[
        str, typer.Option(metavar="LIST", help="beams of each translator, as 1,5 [as trained]")
    ] = "",
    bleu: Annotated[
        str, typer.Option(metavar="KIND", help="bleu, bleu-lc or multi-bleu [as trained]")
    ] = "",
    nbest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="n-best list that each rescores")
    ] = None,
    by_length: Annotated[
        Path | None, typer.Option(metavar="FILE", help="figure of BLEU by source length")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where translations are kept")
    ] = None,
    resamples: Annotated[int, typer.Option(help="texts drawn by the bootstrap")] = 1000,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Perplexities or BLEU with intervals, sizes and speeds, and which differences are no chance.

    Language models are compared on the text of --test, translators on --src and --ref.
    """
    from penstock.cli.bar import bar

    use_threads(threads)
    watch = partial(bar, quiet=quiet)
    names = list(dict.fromkeys(map(str, models)))
    if ref:
        refuse(context, ("test", "sentences"), "translations are compared with --ref")
        contest = Contest(names, src, ref, sizes_of_beams(beams), nbest, watch)
        table = contest.table(kind=bleu, resamples=resamples, figure=by_length, folder=save)
        print_json(table) if as_json else print_table(table)
        if doubt := contest.doubt(table):
            print(f"penstock: {doubt}", file=sys.stderr)
        return
    if not test:
        what = "--src FILE and --ref FILE" if is_translator(models[0]) else "--test FILE"
        raise ConfigError(f"compare: expected {what}, the text to compare on.")
    refuse(context, OF_TRANSLATORS, "language models are compared on --test")
    _language_models(
        [Path(name) for name in names], test, sentences, resamples, threads, watch, as_json
    )


def _language_models(
    models: Sequence[Path],
    test: Sequence[Path],
    sentences: bool,
    resamples: int,
    threads: int,
    watch: Watch,
    as_json: bool,
) -> None:
    from penstock.metrics import comparison
    from penstock.metrics.bootstrap import FEWEST_LINES, check_resamples
    from penstock.text.read import resolve

    # What is wrong is told before the long work.
    check_resamples(resamples)
    resolve(test)
    opened = [open_model(path, threads=threads) for path in models]
    candidates = [_candidate(model, test, sentences, watch) for model in opened]
    table = comparison.compare(candidates, resamples=resamples)
    if (lines := len(candidates[0].nats)) < FEWEST_LINES:
        print(
            f"penstock: {lines} of {FEWEST_LINES} lines: too few lines to tell what is chance, so "
            "there are no intervals and p-values. Compare on a longer text.",
            file=sys.stderr,
        )
    if as_json:
        print_json(table)
        return
    _print_table(table["rows"])
    print(table["signature"])
    for row in table["rows"]:
        if told := improper(row["probabilities_sum_to"]):
            print(f"penstock: {row['model']}: {told}", file=sys.stderr)
    if not table["comparable"]:
        print(
            "penstock: the models' tokens or unknown words differ, and perplexities with them; "
            "bits per character compare if no text is unknown.",
            file=sys.stderr,
        )


def _candidate(
    model: Network | Counted, files: Sequence[Path], alone: bool, watch: Watch
) -> Candidate:
    """Score a text with one model."""
    from penstock.metrics.comparison import Candidate
    from penstock.scoring.losses import Adaption, cost

    adaption = Adaption(alone=alone)
    with read_by([model], files, watch) as corpus:
        with watch(f"scoring with {model.path}") as told:
            began = time.perf_counter()
            losses = -model.log_probs(corpus.ids, adaption, told)
            seconds = time.perf_counter() - began
        mass = model.mass(corpus.ids) if isinstance(model, Counted) else 1.0
        starts = np.flatnonzero(corpus.ids[:-1] == model.tokeniser.eos_id) + 1
    starts = np.concatenate([[0], starts])
    return Candidate(
        name=str(model.path),
        nats=np.add.reduceat(losses, starts),
        tokens=np.diff(starts, append=len(losses)),
        cost=cost(corpus, float(losses.sum()), model.context(adaption)),
        **_sizes(model),
        seconds=seconds,
        mass=mass,
    )


def _sizes(model: Network | Counted) -> dict[str, int]:
    """Parameters, and bytes of the files that are needed."""
    if not isinstance(model, Network):
        files = [file for file in (model.path, tokeniser_file(model.path)) if file.exists()]
        size = sum(file.stat().st_size for file in files)
        return {"parameters": sum(model.model.sizes), "bytes": size}
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
    for place, row in enumerate(rows):
        interval = "{:.2f} - {:.2f}".format(*row["interval"]) if row["interval"] else "-"
        chance = "-" if row["p_value"] is None else f"{row['p_value']:.3f}"
        chance = chance if place else "best"
        print(
            f"{row['model']:{width}}{row['perplexity']:12.2f}{interval:>20}"
            f"{chance:>8}{row['bits_per_character']:11.4f}{row['unknown']:9,}"
            f"{row['parameters']:12,}{row['bytes'] / 1e6:8.1f}{row['tokens_per_second']:11,.0f}"
            f"  {row['context']}"
        )
