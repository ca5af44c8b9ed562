"""How wide texts are, and labels of points that cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import Bbox

__all__ = ["inches", "label_points"]

_LINE = 11.0
"""Height of a label in points."""
_NEAR, _RINGS = 5.0, 8


class _Place(NamedTuple):
    """Where a label may stand, in points from its point."""

    x: float
    y: float
    align: str

    @property
    def side(self) -> float:
        """Where it is held, as a share of its width."""
        return {"left": 0.0, "center": 0.5, "right": 1.0}[self.align]

    def box(self, spot: np.ndarray, width: float) -> Bbox:
        """What it covers, in points of the figure."""
        left = spot[0] + self.x - self.side * width
        return Bbox.from_bounds(left, spot[1] + self.y - _LINE / 2, width, _LINE)


def inches(text: str) -> float:
    """Width of a text in the figure's font."""
    font = FontProperties(size=rcParams["font.size"])
    width, _, _ = _renderer().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def label_points(
    axes: Axes, points: np.ndarray, texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Write each text beside its point, at the nearest place that is free.

    Args:
        axes: whose limits are final.
        points: (N, 2), in its coordinates.
        texts: of each.
        colours: of each.
    """
    to_points = 72 / axes.figure.dpi
    spots = axes.transData.transform(points) * to_points
    frame = Bbox(axes.get_window_extent().get_points() * to_points)
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in spots]
    for point, spot, text, colour in zip(points, spots, texts, colours, strict=True):
        width = 72 * inches(text)
        best = min(_places(), key=lambda place: _cost(place.box(spot, width), frame, taken))
        taken.append(best.box(spot, width))
        tie = {"arrowstyle": "-", "color": colour, "lw": 0.6, "relpos": (best.side, 0.5)}
        axes.annotate(
            text,
            point,
            (best.x, best.y),
            textcoords="offset points",
            ha=best.align,
            va="center",
            color=colour,
            arrowprops=tie if abs(best.y) > _LINE else None,
        )


def _places() -> Iterator[_Place]:
    """Beside, above and below the point, then further and further off."""
    for ring in range(_RINGS):
        for y in {ring * _LINE: None, -ring * _LINE: None}:
            yield _Place(_NEAR, y, "left")
            yield _Place(-_NEAR, y, "right")
            if ring:
                yield _Place(0, y, "center")


def _cost(box: Bbox, frame: Bbox, taken: Sequence[Bbox]) -> float:
    """How much of a label would lie outside or on something else."""
    return box.width * box.height - _common(box, frame) + sum(_common(box, one) for one in taken)


def _common(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return both.width * both.height if both is not None else 0.0


@cache
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72)
