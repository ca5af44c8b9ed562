"""How the cost of a layer grows, and where its time goes: ``python -m benchmarks cost``.

Training is forward and all gradients, input as wide as the layer, float32.  Every point is measured
with all its sides taking turns; a curve's points are not, so that noise of the machine shows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from torch import nn

from benchmarks.layers import inputs, training, work
from benchmarks.timing import paired
from penstock.engines import differentiate, machine
from penstock.inspect.axes import logarithmic, plain
from penstock.inspect.style import SERIES, WIDE, drawing
from penstock.layers.recurrent import Recurrent

BASE = {"T": 35, "B": 20, "H": 200, "L": 1, "threads": 1}
GRID = {
    "T": [1, 5, 10, 35, 100, 300],
    "B": [1, 4, 12, 20, 48, 96],
    "H": [32, 64, 128, 200, 400, 650],
    "L": [1, 2, 3, 4],
}
NAMES = {"T": "steps", "B": "sequences", "H": "hidden units", "L": "layers", "threads": "threads"}
SIDES: dict[str, Callable[[int, int], nn.Module]] = {
    "LSTM": lambda size, layers: Recurrent("lstm", size, size, layers),
    "nn.LSTM": lambda size, layers: nn.LSTM(size, size, layers),
    "GRU": lambda size, layers: Recurrent("gru-pytorch", size, size, layers),
    "nn.GRU": lambda size, layers: nn.GRU(size, size, layers),
}
CELLS = {"LSTM": "lstm", "GRU": "gru-pytorch"}
Curves = dict[str, dict[str, list[float]]]


def point(rounds: int, T: int, B: int, H: int, L: int, threads: int) -> dict[str, float]:
    """Milliseconds of a training step of every side."""
    torch.set_num_threads(threads)
    xs = inputs(B, T, H)
    sides = {name: training(make(H, L), xs) for name, make in SIDES.items()}
    return {name: 1e3 * seconds for name, seconds in paired(sides, rounds).items()}


def curves(rounds: int, most_threads: int) -> Curves:
    """For each of T, B, H, L and threads, all others as in ``BASE``: every side's times."""
    made: Curves = {}
    threads = {"threads": list(range(1, most_threads + 1))} if most_threads > 1 else {}
    for axis, values in (GRID | threads).items():
        points = [point(rounds, **(BASE | {axis: value})) for value in values]
        made[axis] = {name: [found[name] for found in points] for name in SIDES}
        made[axis]["at"] = [float(value) for value in values]
        print(axis, json.dumps(made[axis]), flush=True)
    return made


def draw(made: Curves, path: Path) -> None:
    """A panel for each axis, both scales logarithmic: a slope of 1 is cost in proportion."""
    with drawing():
        figure = Figure(figsize=(WIDE, 2.6), layout="constrained")
        panels = figure.subplots(1, len(made), sharey=True)
        for panel, (axis, found) in zip(panels, made.items(), strict=True):
            at = found["at"]
            for number, name in enumerate(SIDES):
                style = ":o" if name.startswith("nn.") else "-o"
                panel.plot(at, found[name], style, color=SERIES[number // 2], label=name)
            panel.set_xscale("log")
            panel.set_xticks(at[::2], [plain(value) for value in at[::2]])
            panel.xaxis.set_minor_locator(NullLocator())
            panel.set_xlabel(NAMES[axis])
        logarithmic(panels[0])
        panels[0].set_ylabel("ms for a training step")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)


@contextmanager
def timed(owner: Any, name: str, spent: dict[str, float], label: str) -> Iterator[None]:
    """Add the seconds of every call of a function to ``spent[label]``."""
    plain = getattr(owner, name)

    def run(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(*args, **options)
        finally:
            spent[label] = spent.get(label, 0.0) + time.perf_counter() - start

    setattr(owner, name, run)
    try:
        yield
    finally:
        setattr(owner, name, plain)


def shares(cell: str, size: tuple[int, int, int], rounds: int) -> dict[str, float]:
    """Shares of a training step's time, and its products' share of the fastest product's speed."""
    xs, spent = inputs(*size), {}
    layer = Recurrent(cell, size[2], size[2], engine="native")
    step = training(layer, xs)
    step()
    with (
        timed(machine.Compiled, "run", spent, "loops"),
        timed(machine.Compiled, "pack", spent, "packing"),
        timed(differentiate, "_matrix_gradient", spent, "gradient of U"),
    ):
        start = time.perf_counter()
        for _ in range(rounds):
            step()
        total = time.perf_counter() - start
    found = {label: seconds / total for label, seconds in spent.items()}
    found["input products, autograd, Python"] = 1 - sum(found.values())
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    fastest = 2 * 1024**3 / paired({"mm": partial(torch.mm, left, right)}, rounds)["mm"]
    found["of the speed of a large product"] = work(cell, *size) * rounds / total / fastest
    return found


STARTS = {
    "import torch": ("", "import torch"),
    "import penstock": ("import torch", "import penstock"),
    "import what trains": ("import torch", "from penstock import Recurrent, train_language"),
    "first layer, forward and back": (
        "import torch; from penstock import Recurrent; xs = torch.zeros(5, 2, 64)\n"
        "torch.nn.Linear(64, 64)(xs).sum().backward()",
        "Recurrent('gru', 64, 64)(xs)[0].sum().backward()",
    ),
    "first layer of the zoo's longest cell": (
        "import gc, torch; from penstock import Recurrent; xs = torch.zeros(5, 2, 64)\n"
        "torch.nn.Linear(64, 64)(xs).sum().backward(); gc.freeze()",
        "Recurrent('lstm-layernorm', 64, 64)(xs)[0].sum().backward()",
    ),
}
"""What is timed, in a process of its own: what goes before, and the code."""


def starting(rounds: int) -> dict[str, float]:
    """Milliseconds that things take the first time, each in new processes: the median."""
    found = {}
    for what, (before, code) in STARTS.items():
        text = f"{before}\nimport time\nstart = time.perf_counter()\n{code}\n"
        command = [sys.executable, "-c", f"{text}print(1e3 * (time.perf_counter() - start))"]
        runs = [subprocess.run(command, capture_output=True, check=True) for _ in range(rounds)]
        found[what] = statistics.median(float(run.stdout) for run in runs)
    return found


def main() -> None:
    """Measure, print, and save what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["curves", "shares", "start"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="at most")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--figure", type=Path, default=Path("docs/images/cost.png"))
    options = parser.parse_args()
    if "curves" in options.parts:
        draw(curves(options.rounds, options.threads), options.figure)
    torch.set_num_threads(1)
    if "shares" in options.parts:
        for name, cell in CELLS.items():
            for size in ((20, 35, 200), (20, 35, 650), (1, 100, 256)):
                found = shares(cell, size, options.rounds)
                text = ", ".join(f"{label} {share:.0%}" for label, share in found.items())
                print(f"{name} {size}: {text}", flush=True)
    if "start" in options.parts:
        for what, spent in starting(max(3, options.rounds // 3)).items():
            print(f"{what}: {spent:.0f} ms", flush=True)
