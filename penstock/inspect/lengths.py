"""The figure of translations by the length of their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from penstock.inspect.axes import faint_bars, legend_above
from penstock.inspect.style import SERIES, WIDE, colours, drawing
from penstock.metrics.lengths import LengthBin

__all__ = ["score_by_length"]

_STYLES = ("-", "--", ":", "-.")


def score_by_length(systems: Mapping[str, Sequence[LengthBin]], metric: str = "BLEU") -> Figure:
    """The score of each system by source length, its interval as a band, sentences as faint bars.

    Args:
        systems: name to ranges, the same for all.
        metric: name of the score.
    """
    with drawing():
        figure = Figure((0.7 * WIDE, 3.4), layout="constrained")
        axes = figure.subplots()
        lines = zip(systems.items(), colours(len(systems)), strict=True)
        for number, ((name, bins), colour) in enumerate(lines):
            xs, style = [one.middle for one in bins], _STYLES[number // len(SERIES) % len(_STYLES)]
            axes.plot(xs, [one.score for one in bins], f"o{style}", color=colour, label=name)
            low, high = zip(*(one.interval for one in bins), strict=True)
            axes.fill_between(xs, low, high, color=colour, alpha=0.13, lw=0)
        bins = next(iter(systems.values()))
        axes.set_xticks([one.middle for one in bins], [_range(one) for one in bins])
        axes.set_xlabel("words of the source; bands are 95 % intervals")
        axes.set_ylabel(metric)
        axes.set_ylim(0, None)
        legend_above(axes, 3)
        faint_bars(
            axes,
            [one.middle for one in bins],
            [one.lines for one in bins],
            width=[0.9 * (one.high - one.low + 1) for one in bins],
            what="sentences",
        )
    return figure


def _range(one: LengthBin) -> str:
    """Its lengths as a reader writes them."""
    return str(one.low) if one.low == one.high else f"{one.low}–{one.high}"
