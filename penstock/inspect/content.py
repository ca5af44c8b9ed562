"""What a report says, as plain data and ready figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["COMPARED", "Picture", "ReportData", "Result", "Run"]

COMPARED = "The runs compared"
"""Section whose pictures stand beside the table of runs."""


@dataclass(frozen=True)
class Result:
    """A number of the page's head: what it is, the number as text, and what else to know."""

    label: str
    number: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        section: heading it stands under.
        title: of the figure.
        caption: what to look for.
        svg: an ``<svg>`` element.
        is_wide: whether it takes the width of the page.
    """

    section: str
    title: str
    caption: str
    svg: str
    is_wide: bool = False


@dataclass(frozen=True)
class Run:
    """One of several runs compared.

    Attributes:
        name: what the reader knows it by.
        perplexity: on the same text as the others.
        parameters: how many numbers were learnt (None: does not apply).
        tokens_per_second: speed of training (None: does not apply).
    """

    name: str
    perplexity: float
    parameters: int | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class ReportData:
    """Everything on the page, as plain data and ready figures.

    Attributes:
        title: what was trained.
        subtitle: what it is made of, in a line.
        results: the key numbers.
        definition: what the perplexity means, in a line.
        equations: MathML of the cell.
        citation: where the cell comes from.
        pictures: in order; those of a section stand together.
        passage: tokens of a text and the surprisal of each, in bits.
        samples: how a text was drawn, and the text.
        settings: name to value.
        notes: how the figures were made.
        runs: compared with each other; none when empty.
    """

    title: str
    subtitle: str
    results: tuple[Result, ...]
    definition: str
    equations: str
    citation: str = ""
    pictures: tuple[Picture, ...] = ()
    passage: tuple[tuple[str, float], ...] = ()
    samples: tuple[tuple[str, str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""
    runs: tuple[Run, ...] = ()
