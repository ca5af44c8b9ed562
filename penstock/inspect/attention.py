"""Heat maps of attention: which source words a translator looked at for each target word.

Bahdanau et al. 2015, figure 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from penstock.errors import ConfigError, ShapeError
from penstock.inspect.heatmaps import shown_word
from penstock.inspect.labels import inches
from penstock.inspect.style import INK, RULE, SEQUENTIAL, drawing

__all__ = ["MOST", "Attention", "attention_maps"]

MOST = 150
"""Words of a sentence that a map has room for."""
_CELL, _GAP, _BAR, _LEAST = 0.2, 0.12, 0.55, 1.5
_COLOURS = 1.1
"""Inches of the bar of colours."""
_LONGEST = 20
_TILT = 55


@dataclass(frozen=True)
class Attention:
    """How one sentence was looked at while it was translated.

    Attributes:
        source: S words or pieces.
        target: T words or pieces.
        weights: (T, S), a row for each target word, which sums to 1.
        title: over the map.
    """

    source: Sequence[str]
    target: Sequence[str]
    weights: np.ndarray
    title: str = ""

    def __post_init__(self) -> None:
        expected = (len(self.target), len(self.source))
        if np.shape(self.weights) != expected or 0 in expected:
            raise ShapeError(
                f"Attention: expected weights (target words, source words) = {expected} of at "
                f"least one word each, got {np.shape(self.weights)}."
            )


def attention_maps(maps: Sequence[Attention], *, columns: int = 2) -> Figure:
    """One heat map for each sentence, source words across, target words down.

    Args:
        maps: at least one.
        columns: most maps beside each other.

    Raises:
        ConfigError: a sentence is too long to be drawn.
    """
    longest = max(max(np.shape(attention.weights)) for attention in maps)
    if longest > MOST:
        raise ConfigError(
            f"attention_maps: expected sentences of at most {MOST} words, got {longest:,}. "
            "Choose shorter ones."
        )
    columns = min(columns, len(maps))
    with drawing():
        boxes = [_box(attention) for attention in maps]
        rows = [boxes[first : first + columns] for first in range(0, len(boxes), columns)]
        lefts = _starts([max(box.width for box in boxes[n::columns]) for n in range(columns)])
        over = [max(box.top for box in row) for row in rows]
        heights = [max(box.cells[1] for box in row) + _GAP for row in rows]
        tops = _starts(map(sum, zip(over, heights, strict=True)))
        figure = Figure((lefts[-1] + _BAR, max(_LEAST, tops[-1], over[0] + _COLOURS + _GAP)))
        for number, (attention, box) in enumerate(zip(maps, boxes, strict=True)):
            row, column = divmod(number, columns)
            corner = lefts[column] + box.left, tops[row] + over[row]
            image = _draw(_axes(figure, *corner, *box.cells), attention, box)
        bar = figure.colorbar(image, cax=_axes(figure, lefts[-1], over[0], 0.1, _COLOURS))
        bar.set_ticks([0, 0.5, 1], labels=["0", "½", "1"])
        bar.outline.set_edgecolor(RULE)
        bar.ax.grid(False)
        bar.set_label("attention weight")
    return figure


class _Box(NamedTuple):
    """Inches of a map: its cells, and the room of words and title around them."""

    cells: tuple[float, float]
    left: float
    top: float
    right: float
    title: float  # over the cells

    @property
    def width(self) -> float:
        return self.left + self.cells[0] + self.right


def _box(attention: Attention) -> _Box:
    source, target = (_shown(words) for words in (attention.source, attention.target))
    cells = _CELL * len(source), _CELL * len(target)
    slant, rise = math.cos(math.radians(_TILT)), math.sin(math.radians(_TILT))
    lengths = np.array([inches(word) for word in source])
    ends = _CELL * (np.arange(len(source)) + 0.5) + slant * lengths
    over = rise * float(lengths.max()) + 0.2
    title = (0.25, inches(attention.title)) if attention.title else (0.0, 0.0)
    right = max(0.0, float(ends.max()) - cells[0], title[1] - cells[0]) + _GAP
    left = max(map(inches, target)) + _GAP
    return _Box(cells, left, over + title[0], right, over)


def _draw(axes: Axes, attention: Attention, box: _Box) -> AxesImage:
    image = axes.imshow(attention.weights, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    source, target = _shown(attention.source), _shown(attention.target)
    axes.set_xticks(
        range(len(source)), source, rotation=_TILT, ha="left", va="center", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(target)), target)
    axes.set_xticks(np.arange(0.5, len(source) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(target) - 1), minor=True)
    axes.xaxis.tick_top()
    axes.tick_params(which="both", length=0, labelcolor=INK, pad=4)
    axes.grid(False)
    axes.grid(which="minor", axis="both", color=RULE, linewidth=0.4)
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.annotate(
        attention.title,
        (0, 1),
        (0, 72 * box.title),
        xycoords="axes fraction",
        textcoords="offset points",
        weight="bold",
    )
    return image


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the upper left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _starts(sizes: Iterable[float]) -> list[float]:
    """Where each of some things in a row begins, and where the last ends."""
    return [0.0, *accumulate(sizes)]


def _shown(words: Sequence[str]) -> list[str]:
    return [shown_word(word, _LONGEST) for word in words]
