"""Figures of what a text costs and of how far gradients reach, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from penstock.inspect.axes import faint_bars, legend_above, logarithmic, plain
from penstock.inspect.breakdown import UNKNOWN
from penstock.inspect.style import MUTED, SERIES, SMALL, colours, drawing
from penstock.inspect.svg import svg
from penstock.inspect.trace import Flow
from penstock.metrics.perplexity import Perplexity

__all__ = ["frequency", "gradient_flow", "position"]

_LEAST = 1e-12


def frequency(buckets: Mapping[str, Perplexity]) -> str:
    """Perplexity by how often a token occurs in the training text; counts as faint bars."""
    labels = list(buckets)
    ys = [bucket.perplexity for bucket in buckets.values()]
    known = [x for x, label in enumerate(labels) if label != UNKNOWN]
    with drawing():
        figure = Figure((SMALL, 3), layout="constrained")
        axes = figure.subplots()
        axes.plot(range(len(ys)), ys, "o", color=MUTED)
        axes.plot(known, [ys[x] for x in known], "o-", color=SERIES[0])
        for x, y in enumerate(ys):
            axes.annotate(plain(y), (x, y), xytext=(4, 5), textcoords="offset points", ha="left")
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.margins(y=0.15)
        logarithmic(axes)
        axes.set_xlabel("occurrences in the training text")
        axes.set_ylabel("perplexity")
        faint_bars(axes, range(len(ys)), [bucket.tokens for bucket in buckets.values()])
        return svg(figure, "Perplexity by frequency")


def position(buckets: Mapping[int, Perplexity]) -> str:
    """Perplexity by position in the sentence; counts as faint bars."""
    xs = list(buckets)
    with drawing():
        figure = Figure((SMALL, 3), layout="constrained")
        axes = figure.subplots()
        axes.plot(xs, [bucket.perplexity for bucket in buckets.values()], "o-", color=SERIES[0])
        logarithmic(axes)
        ticks = [*xs[:-2:5], xs[-1]]
        axes.set_xticks(ticks, [*map(str, ticks[:-1]), f"{ticks[-1]}+"])
        axes.set_xlabel("position in the sentence (tokens)")
        axes.set_ylabel("perplexity")
        width = float(min(np.diff(xs), default=1))
        faint_bars(axes, xs, [bucket.tokens for bucket in buckets.values()], width=0.8 * width)
        return svg(figure, "Perplexity by position")


def gradient_flow(flows: Sequence[Flow]) -> str:
    """The norm of d loss(t) / d h(t-k) against k, for every layer and state."""
    styles = ("-", "--", ":", "-.")
    states = list(dict.fromkeys(flow.state for flow in flows))
    layers = max(flow.layer for flow in flows)
    with drawing():
        figure = Figure((SMALL, 3.2), layout="constrained")
        axes = figure.subplots()
        for flow in flows:
            axes.plot(
                np.where(flow.norms > _LEAST, flow.norms, np.nan),
                styles[states.index(flow.state) % len(styles)],
                color=colours(layers)[flow.layer - 1],
                label=flow.state if layers == 1 else f"layer {flow.layer}: {flow.state}",
            )
        logarithmic(axes)
        axes.set_xlabel("steps back, k")
        axes.set_ylabel("‖ ∂ loss(t) / ∂ state(t−k) ‖")
        axes.set_xlim(0, None)
        legend_above(axes)
        return svg(figure, "Gradient flow")
