"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from penstock.equations import render
from penstock.equations.program import Program
from penstock.files import write_atomic
from penstock.inspect.content import COMPARED, Picture, ReportData, Run
from penstock.inspect.heatmaps import shown_word
from penstock.inspect.page import PAGE, escaped
from penstock.text.tokenise import EOS

__all__ = ["equations", "write_report"]

REPORT = "report.html"
_ALL_BITS = 16
"""Surprisal at which the colour is full."""


def write_report(folder: Path, report: ReportData) -> Path:
    """Write ``folder/report.html`` atomically.

    Raises:
        PenstockError: the disk is full or the folder cannot be written.
    """
    parts = [_head(report), *_sections(report), _passage(report.passage), _samples(report.samples)]
    body = "\n".join([*parts, _settings(report)])
    page = PAGE.substitute(title=escaped(report.title), body=body)
    path = Path(folder) / REPORT
    write_atomic(path, page.encode(errors="replace"))
    return path


def equations(program: Program) -> str:
    """A program as MathML, the comment of every equation beside it."""
    comments = iter(program.assignments)

    def with_comment(end: re.Match[str]) -> str:
        return f"<mtd><mtext>{escaped(next(comments).comment)}</mtext></mtd>{end[0]}"

    return re.sub("</mtr>", with_comment, render.mathml(program))


def _head(report: ReportData) -> str:
    results = "".join(
        f'<div><dt>{escaped(result.label)}</dt><dd class="number">{escaped(result.number)}</dd>'
        f"<dd>{escaped(result.note)}</dd></div>"
        for result in report.results
    )
    return (
        f"<header><h1>{escaped(report.title)}</h1>\n"
        f'<p class="quiet">{escaped(report.subtitle)}</p></header>\n'
        f'<dl class="results">{results}</dl>\n'
        f'<p class="quiet definition">{escaped(report.definition)}</p>'
    )


def _sections(report: ReportData) -> Iterable[str]:
    sections: dict[str, list[Picture]] = {}
    for picture in report.pictures:
        sections.setdefault(picture.section, []).append(picture)
    if report.runs:
        figures = map(_figure, sections.pop(COMPARED, []))
        yield _block(COMPARED, [_comparison(report.runs), *figures])
    citation = f'<p class="quiet">{escaped(report.citation)}</p>\n' if report.citation else ""
    yield f'<h2>The cell</h2>\n{citation}<div class="scroll">{report.equations}</div>'
    for section, pictures in sections.items():
        yield _block(section, map(_figure, pictures))


def _block(section: str, parts: Iterable[str]) -> str:
    figures = "\n".join(parts)
    return f'<h2>{escaped(section)}</h2>\n<div class="figures">{figures}</div>'


def _figure(picture: Picture) -> str:
    kind = ' class="wide"' if picture.is_wide else ""
    return (
        f"<figure{kind}><h3>{escaped(picture.title)}</h3>\n"
        f'<div class="scroll">{picture.svg}</div>\n'
        f"<figcaption>{escaped(picture.caption)}</figcaption></figure>"
    )


def _comparison(runs: Sequence[Run]) -> str:
    rows = "".join(
        f"<tr><td>{escaped(run.name)}</td><td>{run.perplexity:,.1f}</td>"
        f"<td>{_count(run.parameters)}</td><td>{_count(run.tokens_per_second)}</td></tr>"
        for run in runs
    )
    return (
        '<div class="scroll"><table class="compared"><thead><tr>'
        "<th>run</th><th>perplexity</th><th>parameters</th><th>tokens/s</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _passage(passage: Sequence[tuple[str, float]]) -> str:
    if not passage:
        return ""
    is_spelt = sum(len(token) for token, _ in passage if token != EOS) < 2 * len(passage)
    tokens = ("" if is_spelt else " ").join(map(_surprisal, passage))
    return (
        "<h2>What surprises it</h2>\n"
        '<p class="quiet">Text it was not trained on; each token with its surprisal −log₂ p in '
        "bits, the stronger the colour the less expected. Look at names and rare words, and at "
        "how little the second half of a set phrase costs.</p>\n"
        f'<p class="surprisal{" spelt" if is_spelt else ""}">{tokens}</p>'
    )


def _surprisal(token_bits: tuple[str, float]) -> str:
    token, bits = token_bits
    share = min(100 * bits / _ALL_BITS, 100)
    return (
        f'<span style="--share: {share:.0f}" title="{bits:.1f} bits">{escaped(shown_word(token))}'
        f"<sub>{bits:.0f}</sub></span>{'<br>' if token == EOS else ''}"
    )


def _samples(samples: Sequence[tuple[str, str]]) -> str:
    if not samples:
        return ""
    texts = (
        f"<h3>{escaped(how)}</h3>\n<blockquote>{escaped(what)}</blockquote>"
        for how, what in samples
    )
    return "<h2>What it writes</h2>\n" + "\n".join(texts)


def _settings(report: ReportData) -> str:
    rows = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>"
        for name, value in report.settings.items()
    )
    table = f'<h2>Settings</h2>\n<dl class="settings">{rows}</dl>\n' if rows else ""
    return f'{table}<p class="quiet">{escaped(report.notes)}</p>'


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"
