"""The look of all figures.

Every colour is drawn as itself and written to SVG as ``var(--name, colour)``: the page sets the
variables for light, dark and print; a figure on its own keeps the colours of light.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap, to_rgba

__all__ = [
    "DIVERGING",
    "INK",
    "MUTED",
    "RULE",
    "SEQUENTIAL",
    "SERIES",
    "SMALL",
    "VARIABLES",
    "WIDE",
    "colours",
    "drawing",
]

SMALL, WIDE = 4.8, 9.6
"""Widths in inches: half of the page and all of it."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito 2008: told apart by every kind of colour vision."""
INK, MUTED, RULE = "#1f2430", "#667080", "#d5dae1"
VARIABLES = {
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, start=1)},
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
}
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": MUTED,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 8.5,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "image.interpolation": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "penstock",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
}


def _from_clear(name: str, low: str | None, high: str) -> LinearSegmentedColormap:
    """Colours that fade out towards zero, so that any background shows through."""
    clear = (*to_rgba(high)[:3], 0.0)
    ends = [(0.0, clear), (1.0, to_rgba(high))]
    if low is not None:
        near = (*to_rgba(low)[:3], 0.0)
        ends = [(0.0, to_rgba(low)), (0.5, near), (0.5, clear), (1.0, to_rgba(high))]
    return LinearSegmentedColormap.from_list(name, ends)


SEQUENTIAL = _from_clear("penstock_sequential", None, "#2a86c8")
DIVERGING = _from_clear("penstock_diverging", "#2a86c8", "#e0701f")


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's settings for one figure; words in any script pass without its warnings."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def colours(count: int) -> list[str]:
    """One colour for each of ``count`` series."""
    return [SERIES[number % len(SERIES)] for number in range(count)]
