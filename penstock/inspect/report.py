"""The report of a run: measure on the trained model what it shows, and write the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from penstock.cells.base import CELLS
from penstock.equations.program import Program
from penstock.inspect import progress
from penstock.inspect.content import Picture, ReportData, Result, Run
from penstock.inspect.html import equations, write_report
from penstock.inspect.view import View
from penstock.models.window import WINDOW
from penstock.training.language import token_counts
from penstock.training.log import METRICS, read
from penstock.training.run import LanguageRun

__all__ = ["gather", "write_report"]

_NAMES = {"valid": "validation"}


def gather(run: LanguageRun, *, compared: Sequence[LanguageRun] = (), seed: int = 1) -> ReportData:
    """Measure in a few seconds what the report of a run shows.

    The figures are of the test text where there is one, else of the validation text, and of its
    beginning only where it is long; the page says so.

    Args:
        run: a trained language model with its texts, results and logs.
        compared: runs to set side by side, this one among them; no comparison when empty.
        seed: of the samples.

    Raises:
        DataError: a line of ``metrics.jsonl`` is not JSON.
    """
    part = "test" if "test" in run.corpora else "valid"
    text = run.corpora[part].ids
    view = View(run.model, run.tokeniser, text, sentences=run.settings.sentences)
    program = run.model.program
    return ReportData(
        title=_title(program),
        subtitle=_subtitle(run),
        results=tuple(_results(run)),
        definition="\n".join(f"{_name(p)}: {cost.signature}" for p, cost in run.results.items()),
        equations=equations(program),
        citation=_citation(program),
        pictures=tuple(_pictures(run, view, compared)),
        passage=view.passage(),
        samples=tuple(view.samples(seed)),
        settings=asdict(run.settings),
        notes=_notes(view, _name(part)),
        runs=tuple(_rows(compared)),
    )


def _pictures(run: LanguageRun, view: View, compared: Sequence[LanguageRun]) -> Iterator[Picture]:
    records = read(run.folder / METRICS)
    if compared:
        logs = [read(one.folder / METRICS) for one in compared]
        yield from progress.comparison(list(zip(_labels(compared), logs, strict=True)))
    yield from progress.training(records, clip=run.settings.clip_norm)
    yield from view.difficulty(token_counts(run.corpora["train"].ids, run.tokeniser.vocab_size))
    yield from view.inside()


def _rows(compared: Sequence[LanguageRun]) -> Iterator[Run]:
    """The table of runs, under a model that finds every token as likely as any other."""
    if compared:
        yield Run("untrained", float(compared[0].tokeniser.vocab_size))
    for label, run in zip(_labels(compared), compared, strict=True):
        cost = run.results.get("test") or run.results["valid"]
        yield Run(label, cost.perplexity, _parameters(run), _speed(run))


def _labels(compared: Sequence[LanguageRun]) -> list[str]:
    """What runs are called: by their cells, or by their folders where cells repeat."""
    cells = [run.model.program.name for run in compared]
    return cells if len(set(cells)) == len(cells) else [run.folder.name for run in compared]


def _results(run: LanguageRun) -> Iterator[Result]:
    for part, cost in reversed(list(run.results.items())):
        note = f"{cost.tokens:,} tokens"
        yield Result(f"{_name(part)} perplexity", f"{cost.perplexity:,.1f}", note)
    part, cost = list(run.results.items())[-1]
    yield Result("bits per character", f"{cost.bits_per_character:.3f}", _name(part))
    yield Result("parameters", f"{_parameters(run):,}")
    yield Result("tokens per second", f"{_speed(run):,.0f}", "validation included")
    summary = run.summary
    best = f"epoch {summary.best_epoch} of {summary.epochs} was best"
    yield Result("training time", _duration(summary.seconds), best)


def _parameters(run: LanguageRun) -> int:
    return sum(parameter.numel() for parameter in run.model.parameters())


def _speed(run: LanguageRun) -> float:
    """Tokens trained on per second of the whole run."""
    tokens = run.corpora["train"].statistics.tokens * run.summary.epochs
    return tokens / run.summary.seconds if run.summary.seconds else math.nan


def _name(part: str) -> str:
    return _NAMES.get(part, part)


def _title(program: Program) -> str:
    if program.name == WINDOW.name:
        return "Window network"
    known = program.name in CELLS
    return f"Language model with {f'the {program.name} cell' if known else 'a cell of its own'}"


def _subtitle(run: LanguageRun) -> str:
    return f"{run.model.about()} ({run.tokeniser.kind})"


def _citation(program: Program) -> str:
    """What the zoo says of the cell, if it is one of its."""
    if program.name == WINDOW.name:
        return "Words side by side, hidden layer, softmax. Bengio et al. 2003."
    if program.name not in CELLS:
        return ""
    cell = CELLS[program.name]
    return f"{cell.title()} {cell.citation()}"


def _notes(view: View, name: str) -> str:
    return (
        f"Perplexity by frequency and by position, and surprisal: the first {len(view.nats):,} "
        f"tokens of the {name} text, read in {view.streams} parallel stream"
        f"{'s' * (view.streams > 1)}. Saturation: its first {len(view.read):,} tokens. "
        "Results: the whole text."
    )


def _duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> [_duration(seconds) for seconds in (42.3, 154, 2000, 7322)]
    ['42 s', '2 min 34 s', '33 min', '2 h 02 min']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest:02d} s"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02d} min" if hours else f"{minutes} min"
