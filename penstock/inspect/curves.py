"""Figures of a training run from the lines of its ``metrics.jsonl``, as inline SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from penstock.inspect.axes import epoch_axis, legend_above, logarithmic
from penstock.inspect.style import INK, MUTED, SERIES, SMALL, WIDE, colours, drawing
from penstock.inspect.svg import svg

__all__ = ["Records", "comparison", "grouped", "layer_norms", "learning", "weight_norms"]

Records = Sequence[Mapping[str, Any]]
"""Lines of ``metrics.jsonl``."""
Norms = dict[str, dict[str, np.ndarray]]
_POINTS = 300
_REST = "embedding and output"


def learning(records: Records) -> str:
    """Perplexity of training and validation by epoch, the learning rate below."""
    epochs, updates = _of_kind(records, "epoch"), _of_kind(records, "update")
    per_epoch = epochs[-1]["update"] / epochs[-1]["epoch"]
    with drawing():
        figure = Figure((SMALL, 3.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        xs = [row["update"] / per_epoch for row in updates]
        upper.plot(xs, _perplexities(updates, "loss"), color=SERIES[0], alpha=0.35, lw=0.8)
        _by_epoch(upper, epochs, "train_loss", SERIES[0], "training")
        _by_epoch(upper, epochs, "valid_loss", SERIES[1], "validation")
        logarithmic(upper)
        upper.set_ylabel("perplexity")
        legend_above(upper)
        rates = sorted((row["update"] / per_epoch, row["lr"]) for row in [*updates, *epochs])
        lower.step(*zip(*rates, strict=True), color=MUTED, lw=1.2, where="pre")
        highest = max(rate for _, rate in rates)
        lower.set_ylim(0, 1.2 * highest)
        lower.set_yticks([0, highest], ["0", f"{highest:g}"])
        lower.set_ylabel("learning\nrate")
        epoch_axis(lower)
        return svg(figure, "Learning curves")


def comparison(runs: Sequence[tuple[str, Records]]) -> str:
    """Validation perplexity by epoch of several runs, name and records, on the same axes."""
    with drawing():
        figure = Figure((SMALL, 3.2), layout="constrained")
        axes = figure.subplots()
        for (name, records), colour in zip(runs, colours(len(runs)), strict=True):
            _by_epoch(axes, _of_kind(records, "epoch"), "valid_loss", colour, name)
        logarithmic(axes)
        axes.set_ylabel("validation perplexity")
        legend_above(axes)
        epoch_axis(axes)
        return svg(figure, "Learning curves of the runs compared")


def layer_norms(records: Records, *, clip: float = 0.0) -> str:
    """Norm of the gradient over the updates, in all and by layer.

    Args:
        records: of the run.
        clip: the norm it is clipped to, drawn as a line (0: none).
    """
    updates = _of_kind(records, "update")
    lines = {name: _joint(group) for name, group in _parts(grouped(_norms_of(updates))).items()}
    with drawing():
        figure = Figure((SMALL, 3.2), layout="constrained")
        axes = figure.subplots()
        xs = [row["update"] for row in updates]
        whole = [row["grad_norm"] for row in updates]
        axes.plot(xs, whole, color=INK, lw=1.2, label="whole gradient")
        _lines(axes, xs, lines)
        if clip:
            axes.axhline(clip, color=MUTED, ls="--", lw=1, label=f"clipped to {clip:g}")
        _norm_axes(axes)
        legend_above(axes, 3)
        return svg(figure, "Gradient norm by layer")


def weight_norms(records: Records) -> str:
    """Norm of the gradient over the updates by family of weights, one panel for each layer."""
    updates = _of_kind(records, "update")
    layers = {n: group for n, group in grouped(_norms_of(updates)).items() if n != _REST}
    columns = min(len(layers), 3)
    rows = -(-len(layers) // columns)
    with drawing():
        size = (SMALL if columns == 1 else WIDE, 3.2 if columns == 1 else 2.7 * rows)
        figure = Figure(size, layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        xs = [row["update"] for row in updates]
        for axes, (layer, lines) in zip(grid.flat, layers.items(), strict=False):
            _lines(axes, xs, lines)
            _norm_axes(axes)
            axes.set_title(layer, pad=18)
            legend_above(axes, 6)
        for axes in grid.flat[len(layers) :]:
            axes.set_visible(False)
        return svg(figure, "Gradient norm by weight")


def grouped(norms: Sequence[Mapping[str, float | None]]) -> Norms:
    """Norms by layer and family of weights: W_i ... W_g of an LSTM are one W.

    Args:
        norms: by name, at every update; ``layer0.U_f`` is of the first layer, any other name of
            the rest of the model.

    >>> norms = grouped([{"layer0.U_i": 3.0, "layer0.U_f": 4.0, "output.bias": 1.0}])
    >>> {group: {name: ys.tolist() for name, ys in lines.items()} for group, lines in norms.items()}
    {'layer 1': {'U': [5.0]}, 'embedding and output': {'output': [1.0]}}
    """
    groups: dict[str, dict[str, list[str]]] = {}
    for name in norms[0] if norms else ():
        match = re.search(r"^layer(\d+)\.(.+)$", name)
        group = f"layer {int(match[1]) + 1}" if match else _REST
        family = match[2].partition("_")[0] if match else name.partition(".")[0]
        groups.setdefault(group, {}).setdefault(family, []).append(name)
    return {
        group: {
            family: _joint({name: _column(norms, name) for name in names})
            for family, names in families.items()
        }
        for group, families in groups.items()
    }


def _parts(groups: Norms) -> Norms:
    """The layers, and each part of the rest on its own."""
    rest = {name: {name: ys} for name, ys in groups.get(_REST, {}).items()}
    return rest | {name: lines for name, lines in groups.items() if name != _REST}


def _joint(lines: Mapping[str, np.ndarray]) -> np.ndarray:
    """The norm of several gradients taken as one."""
    return np.sqrt(sum(np.square(ys) for ys in lines.values()))


def _column(norms: Sequence[Mapping[str, float | None]], name: str) -> np.ndarray:
    values = [row.get(name) for row in norms]
    return np.array([math.nan if value is None else value for value in values])


def _norms_of(updates: Records) -> list[Mapping[str, float | None]]:
    return [row.get("grad_norms") or {} for row in updates]


def _lines(axes: Axes, xs: Sequence[int], lines: Mapping[str, np.ndarray]) -> None:
    for (name, ys), colour in zip(lines.items(), colours(len(lines)), strict=True):
        seen = np.where(ys > 0, ys, math.nan)
        axes.plot(xs, seen, color=colour, lw=1, label=name)


def _norm_axes(axes: Axes) -> None:
    logarithmic(axes)
    axes.set_xlabel("updates")
    axes.set_ylabel("gradient norm")
    axes.label_outer()


def _of_kind(records: Records, kind: str) -> list[Mapping[str, Any]]:
    """The records of one kind, evenly thinned to what a figure can show."""
    chosen = [record for record in records if record.get("kind") == kind]
    step = -(-len(chosen) // _POINTS) or 1
    return chosen[::-1][::step][::-1]


def _perplexities(records: Records, name: str) -> list[float]:
    losses = [record.get(name) for record in records]
    return [math.nan if loss is None else math.exp(min(loss, 700.0)) for loss in losses]


def _by_epoch(axes: Axes, epochs: Records, name: str, colour: str, label: str) -> None:
    if any(row.get(name) is not None for row in epochs):
        xs = [row["epoch"] for row in epochs]
        axes.plot(xs, _perplexities(epochs, name), "o-", color=colour, label=label)
