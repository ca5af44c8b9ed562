"""``penstock quickstart``: a trained system in minutes, nothing downloaded."""

from __future__ import annotations

import math
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.generate import text_of
from penstock.cli.options import Json, Quiet, Threads, print_json, use_threads
from penstock.cli.quickstart_translate import quickstart_translate
from penstock.errors import unknown

if TYPE_CHECKING:
    from penstock.training.run import LanguageRun

__all__ = ["quickstart"]

TASKS = ("lm", "translate")
EPOCHS = 8
SETTINGS = {
    "hidden": "128",
    "dropout": 0.4,
    "optimiser": "adam",
    "lr": 0.004,
    "clip_norm": 1.0,
    "schedule": "cosine",
    "batch_size": 16,
    "k1": 30,
    "min_count": 2,
    "log_every": 20,
}


def quickstart(
    *,
    out: Annotated[Path, typer.Option(help="folder for what it leaves")] = Path("quickstart"),
    task: Annotated[str, typer.Option(help="lm: language models; translate")] = "lm",
    cells: Annotated[str, typer.Option(help="cells to compare (lm)")] = "elman,gru,lstm",
    languages: Annotated[str, typer.Option(help="source, target (translate)")] = "en,de",
    epochs: Annotated[
        int, typer.Option(min=0, help="passes over the text (0: enough)", show_default=False)
    ] = 0,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train language models on the prose every Python carries, compare cells, write text.

    With --task translate, train a translator of dates, times and quantities as CLDR writes them.
    """
    from penstock.cells import CELLS
    from penstock.cli.bar import bar
    from penstock.inspect.report import gather, write_report
    from penstock.text import write_prose
    from penstock.training.language import LanguageSettings
    from penstock.training.listener import listener
    from penstock.training.recipe import settings_from
    from penstock.training.run import Texts, train_language

    use_threads(threads)
    if task not in TASKS:
        raise unknown("quickstart", "task", task, TASKS)
    if task == "translate":
        quickstart_translate(out, languages, epochs, quiet=quiet, as_json=as_json)
        return
    names = [CELLS[name.strip()].name for name in cells.split(",")]
    files = write_prose(out / "text")
    texts = Texts([files["train"]], [files["valid"]], [files["test"]])
    runs = []
    for name in names:
        if not quiet:
            print(f"training {name} on the Python language reference", file=sys.stderr)
        settings = settings_from(
            LanguageSettings, SETTINGS, {"cell": name, "epochs": epochs or EPOCHS}
        )
        shown, watch = listener(quiet=quiet), partial(bar, quiet=quiet)
        runs.append(train_language(texts, settings, out / name, shown, watch))
    best = min(runs, key=lambda run: run.results["test"].perplexity)
    rows = [_untrained(best), *(_row(run) for run in runs)]
    report = write_report(out, gather(best, compared=runs))
    sample = _sample(best)
    if as_json:
        print_json({"rows": rows, "sample": sample, "report": str(report)})
        return
    _print_table(rows)
    print(f"\n{best.model.program.name} writes:\n{sample}")
    print(f"report: {report}")


def _untrained(run: LanguageRun) -> dict[str, Any]:
    """What a model that knows nothing costs: every token of the vocabulary as likely."""
    return {"cell": "untrained", "perplexity": float(run.tokeniser.vocab_size)}


def _row(run: LanguageRun) -> dict[str, Any]:
    updates = run.summary
    tokens = run.corpora["train"].statistics.tokens * updates.epochs
    return {
        "cell": run.model.program.name,
        "perplexity": run.results["test"].perplexity,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "tokens_per_second": tokens / updates.seconds if updates.seconds else math.nan,
    }


def _sample(run: LanguageRun, tokens: int = 60) -> str:
    from penstock.search import Sampling, generate

    unknown = [] if run.tokeniser.unk_id is None else [run.tokeniser.unk_id]
    ids = generate(run.model, [run.tokeniser.eos_id], Sampling(0.7), forbidden=unknown)
    return "".join(text_of(run.tokeniser, islice(ids, tokens), [])).strip()


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'cell':12}{'test perplexity':>16}{'parameters':>12}{'tokens/s':>10}")
    for row in rows:
        line = f"{row['cell']:12}{row['perplexity']:16.1f}"
        if "parameters" in row:
            line += f"{row['parameters']:12,}{row['tokens_per_second']:10,.0f}"
        print(line)
