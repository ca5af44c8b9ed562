"""Figures of what gates and units do while the model reads a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from penstock.inspect.style import (
    DIVERGING,
    INK,
    MUTED,
    RULE,
    SEQUENTIAL,
    SERIES,
    SMALL,
    WIDE,
    drawing,
)
from penstock.inspect.svg import svg
from penstock.inspect.trace import Trace
from penstock.text.tokenise import EOS

__all__ = ["activity", "saturation", "shown_word"]

_ROW = 0.2
_UNITS = 12


def activity(traces: Sequence[Trace], words: Sequence[str]) -> str:
    """How open each gate is at every word, and what the liveliest units of the memory hold.

    Args:
        traces: of one layer, over the words.
        words: what was read at each step.
    """
    gates = [trace for trace in traces if trace.is_gate]
    memory = _memory(traces)
    units, values = _liveliest(memory.values)
    rows = [count for count in (len(gates), len(units)) if count]
    with drawing():
        height = _ROW * sum(rows) + 0.4 * len(rows) + 0.8
        figure = Figure((WIDE, height), layout="constrained")
        panels = figure.subplots(len(rows), 1, sharex=True, height_ratios=rows, squeeze=False)[:, 0]
        if gates:
            means = np.stack([gate.values.mean(-1) for gate in gates])
            _heat_map(panels[0], means, SEQUENTIAL, (0, 1), [_label(gate) for gate in gates])
            panels[0].set_title("gates, mean over the units: 0 closed, 1 open")
        _heat_map(panels[-1], values, DIVERGING, (-1, 0, 1), [f"unit {unit}" for unit in units])
        panels[-1].set_title(f"{_label(memory)}: units that change most, each by its own size")
        labels = [shown_word(word) for word in words]
        upright = max(map(len, labels)) <= 2
        panels[-1].set_xticks(range(len(words)), labels, rotation=0 if upright else 90)
        panels[-1].tick_params(axis="x", labelcolor=INK)
        return svg(figure, f"Gate activity of layer {traces[0].layer}")


def saturation(traces: Sequence[Trace]) -> str:
    """How many of the values of each bounded gate and state lie at its bounds.

    Args:
        traces: of all layers, over a long text; those without bounds are left out.
    """
    bounded = [trace for trace in traces if trace.bounds]
    several = len({trace.layer for trace in traces}) > 1
    low, high = (np.array(side) for side in zip(*(t.saturation for t in bounded), strict=True))
    rows = np.arange(len(bounded))
    labels = [f"layer {t.layer}: {_label(t)}" if several else _label(t) for t in bounded]
    with drawing():
        figure = Figure((SMALL, max(3.2, _ROW * (len(rows) + 5))), layout="constrained")
        axes = figure.subplots()
        axes.barh(rows, 100 * low, 0.7, color=SERIES[0], label="at the lower bound")
        between = 100 * (1 - low - high)
        axes.barh(rows, between, 0.7, 100 * low, color=RULE, label="between")
        axes.barh(rows, 100 * high, 0.7, 100 * (1 - high), color=SERIES[1], label="at the upper")
        axes.set_yticks(rows, labels)
        axes.set_ylim(max(len(rows), 6) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.grid(False)
        axes.set_xlabel("share of values (%)")
        figure.legend(ncols=3, loc="outside upper left", handlelength=1, columnspacing=1)
        return svg(figure, "Saturation")


def shown_word(word: str, longest: int = 14) -> str:
    """A token as it can be printed: blanks and control characters made visible, long ones cut.

    >>> [shown_word(word) for word in (" ", "<eos>", "\\x00", "internationalisation")]
    ['␣', '↵', '␀', 'internationali…']
    """
    visible = word.replace(EOS, "↵").replace(" ", "␣").replace("\n", "↵")
    visible = "".join(map(_visible, visible))
    return visible if len(visible) <= longest else visible[:longest] + "…"


def _visible(character: str) -> str:
    if ord(character) < 32:
        return chr(0x2400 + ord(character))
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _label(trace: Trace) -> str:
    comment = trace.comment.split(":")[0]
    return f"{comment} {trace.name}" if comment and len(comment) <= 24 else trace.name


def _memory(traces: Sequence[Trace]) -> Trace:
    """The state that says most: one that is kept beside the output, else the last state."""
    states = [trace for trace in traces if trace.is_state] or list(traces)
    inner = [trace for trace in states if trace.name != "h"]
    return (inner or states)[-1]


def _liveliest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units that change most for their size, like beside like, and their values in [-1, 1].

    Shapes:
        (T, size) -> (units,), (units, T)
    """
    relative = values / np.maximum(np.abs(values).max(0), 1e-6)
    units = np.argsort(-relative.std(0), kind="stable")[:_UNITS]
    _, _, directions = np.linalg.svd(relative[:, units], full_matrices=False)
    units = units[np.argsort(-directions[0], kind="stable")]
    return units, relative[:, units].T


def _heat_map(
    axes: Axes, values: np.ndarray, colours: Colormap, ticks: Sequence[float], names: Sequence[str]
) -> None:
    image = axes.imshow(values, cmap=colours, vmin=ticks[0], vmax=ticks[-1], aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.grid(False)
    axes.tick_params(length=0, labelcolor=MUTED)
    for spine in axes.spines.values():
        spine.set_visible(True)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, aspect=10)
    bar.outline.set_edgecolor(RULE)
    bar.ax.grid(False)
    bar.set_ticks(list(ticks), labels=[f"{tick:g}".replace("-", "−") for tick in ticks])
