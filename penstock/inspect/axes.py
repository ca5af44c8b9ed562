"""Axes that read well: logarithmic ones, counts behind a curve, a legend above the frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from penstock.inspect.style import RULE

__all__ = ["epoch_axis", "faint_bars", "legend_above", "logarithmic", "plain"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def logarithmic(axes: Axes) -> None:
    """A logarithmic axis with numbers as people write them, more of them where it is short."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = math.log10(high / low)
    subs = (
        (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.3 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    )
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def epoch_axis(axes: Axes) -> None:
    """Whole epochs along x."""
    axes.set_xlabel("epochs")
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))


def legend_above(axes: Axes, columns: int = 4) -> None:
    """The legend on top of the frame, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            borderaxespad=0,
            handlelength=1.6,
            columnspacing=1.4,
        )


def faint_bars(
    axes: Axes,
    xs: Sequence[float],
    counts: Sequence[int],
    *,
    width: float | Sequence[float] = 0.8,
    what: str = "tokens",
) -> None:
    """How much text stands behind each point: its share of it all, on an axis to the right."""
    behind = axes.twinx()
    total = max(sum(counts), 1)
    behind.bar(xs, [100 * count / total for count in counts], width, color=RULE, alpha=0.55)
    behind.set_ylabel(f"share of {what} (%)")
    behind.set_ylim(0, None)
    behind.grid(False)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)


def plain(value: float) -> str:
    """A number in few characters.

    >>> [plain(value) for value in (114.51, 7.25, 0.003, 1234567.0, 3e-7)]
    ['115', '7.25', '0.003', '1,234,567', '3·10⁻⁷']
    """
    if 0 < value < 9.9e-4:
        power = math.floor(math.log10(value) + 1e-9)
        factor = round(value / 10**power)
        return f"{f'{factor}·' if factor > 1 else ''}10{str(power).translate(_SUPERSCRIPTS)}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
