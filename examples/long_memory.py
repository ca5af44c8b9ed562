"""The adding problem and the copy task: which cells remember over 150 steps, and why.

    python examples/long_memory.py --task adding --length 150 --out long_memory

Adding (Hochreiter & Schmidhuber 1997; this form Le, Jaitly & Hinton 2015): the answer is the
sum of the two marked numbers. Always answering 1 has a squared error of 1/6 (Le: 0.1767).
Copy (Hochreiter & Schmidhuber 1997, experiment 2): the first symbol is to be named after a
long silence. Guessing has a cross entropy of ln 8 nats.

The picture shows how much of the gradient of the last step's loss reaches each earlier state.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.cells import CELLS
from penstock.layers.recurrent import Recurrent

DEFAULT_CELLS = {
    "adding": ["elman", "irnn", "elman-orthogonal", "lstm-forget-bias"],
    # The first LSTM has no forget gate: its memory decays only by what training makes of it.
    "copy": ["elman", "irnn", "elman-orthogonal", "lstm-1997"],
}
SYMBOLS = 8
CHECK_EVERY = 100  # updates


def adding(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers in [0, 1) with one mark in each half, xs (T, B, 2); their sum (B, 1)."""
    numbers = torch.rand(length, batch, generator=generator)
    marks = torch.zeros(length, batch)
    for low, high in ((0, length // 2), (length // 2, length)):
        marks[torch.randint(low, high, (batch,), generator=generator), torch.arange(batch)] = 1
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(0)[:, None]


def copy(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A symbol, silence, a call for it, xs (T + 1, B, 10); the symbol (B,)."""
    symbol = torch.randint(SYMBOLS, (batch,), generator=generator)
    codes = torch.full((length + 1, batch), SYMBOLS)
    codes[0], codes[-1] = symbol, SYMBOLS + 1
    return F.one_hot(codes, SYMBOLS + 2).float(), symbol


class Task(NamedTuple):
    """What to learn, the loss of an answer without memory, the loss that counts as solved."""

    make: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    input_size: int
    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    baseline: float
    solved: float


TASKS = {
    "adding": Task(adding, 2, 1, F.mse_loss, 1 / 6, 0.01),
    "copy": Task(copy, SYMBOLS + 2, SYMBOLS, F.cross_entropy, math.log(SYMBOLS), 0.05),
}


# Adam's first rate (it falls to 0), and the bound of the uniform start of what multiplies x
# (None: the cell's own).
# The sum of two numbers needs a product of number and mark, hence a tanh far from linear;
# a small rate keeps the start's matrix U what it is until its memory is in use.
RECIPES = {
    ("adding", "elman-orthogonal"): (5e-4, 3.0),
    ("adding", "irnn"): (1e-3, 0.1),
    ("adding", "lstm-forget-bias"): (1e-3, 1.0),
    ("copy", "irnn"): (3e-4, None),
}


class Memory(nn.Module):
    """A recurrent layer and one linear answer from its last output."""

    def __init__(self, cell: str, task: Task, hidden: int, inputs: float | None) -> None:
        super().__init__()
        self.layer = Recurrent(cell, task.input_size, hidden)
        self.answer = nn.Linear(hidden, task.outputs)
        for name, weight in self.layer.weights().items():
            if inputs is not None and name.startswith("W"):
                weight.uniform_(-inputs, inputs)

    def forward(self, xs: Tensor) -> Tensor:
        return self.answer(self.layer(xs)[0][-1])


def gradient_flow(model: Memory, task: Task, xs: Tensor, target: Tensor) -> list[float]:
    """Norm of d loss / d (h(t), c(t) if any), mean over the batch, from last step to first."""
    state, states = None, []
    for x in xs:
        _, state = model.layer.step(x, state)
        for part in state:
            part.retain_grad()
        states.append(state)
    answer = model.answer(states[-1].h[-1])
    (task.loss(answer, target) * len(target)).backward()
    gradients = [torch.cat([part.grad[0] for part in parts], -1) for parts in states[:-1]]
    model.zero_grad()
    return [gradient.norm(dim=-1).mean().item() for gradient in reversed(gradients)]


class Result(NamedTuple):
    """One cell after training, with its gradient's flow before and after."""

    cell: str
    updates: int
    seconds: float
    loss: float
    flows: tuple[list[float], list[float]]


def train(cell: str, options: argparse.Namespace) -> Result:
    """Train until the task is solved on sequences never trained on, or time is up."""
    task = TASKS[options.task]
    rate, inputs = RECIPES.get((options.task, cell), (1e-3, None))
    torch.manual_seed(options.seed)
    model = Memory(cell, task, options.hidden, inputs)
    generator = torch.Generator().manual_seed(options.seed)
    xs, target = task.make(options.length, 1000, generator)
    flow = partial(gradient_flow, model, task, xs[:, :32], target[:32])
    before = flow()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    fall = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, options.updates)
    start, updates, loss = time.monotonic(), 0, math.inf
    while updates < options.updates and time.monotonic() - start < 60 * options.minutes:
        batch = task.make(options.length, options.batch, generator)
        optimizer.zero_grad()
        task.loss(model(batch[0]), batch[1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        fall.step()
        updates += 1
        if updates % CHECK_EVERY == 0 or updates == options.updates:
            with torch.no_grad():
                loss = task.loss(model(xs), target).item()
            print(f"{cell}: {updates} updates, loss {loss:.4f}", file=sys.stderr, flush=True)
            if loss < task.solved:
                break
    return Result(cell, updates, time.monotonic() - start, loss, (before, flow()))


def draw(results: list[Result], path: Path) -> None:
    """The gradient's norm against the distance from the loss, before and after training."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for index, (axis, when) in enumerate(zip(axes, ("before", "after"), strict=True)):
        for result in results:
            flow = result.flows[index]
            axis.semilogy(range(1, len(flow) + 1), flow, label=result.cell)
        axis.set(title=f"{when} training", xlabel="distance from the loss (steps)")
        axis.set(ylabel="norm of d loss(T) / d state(t)", ylim=(1e-12, None))
        axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


def show(results: list[Result], task: Task) -> None:
    """Print one line a cell."""
    print(f"{'cell':20}{'updates':>8}{'seconds':>8}{'loss':>9}  solved (loss < {task.solved})")
    for r in results:
        solved = "yes" if r.loss < task.solved else "no"
        print(f"{r.cell:20}{r.updates:8}{r.seconds:8.0f}{r.loss:9.4f}  {solved}")
    print(f"{'without memory':36}{task.baseline:9.4f}")


def main(words: list[str] | None = None) -> None:
    """Train every cell, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--task", choices=TASKS, default="adding")
    add("--length", type=int, default=150, help="steps to remember over")
    add("--cells", nargs="+", choices=list(CELLS), metavar="CELL")
    add("--hidden", type=int, default=64)
    add("--batch", type=int, default=50)
    add("--updates", type=int, default=8000, help="at most, for each cell")
    add("--minutes", type=float, default=10.0, help="at most, for each cell")
    add("--seed", type=int, default=1)
    add("--out", type=Path, default=Path("long_memory"), help="folder of the picture")
    options = parser.parse_args(words)
    if options.length < 2:
        parser.error("--length is at least 2")
    results = [train(cell, options) for cell in options.cells or DEFAULT_CELLS[options.task]]
    show(results, TASKS[options.task])
    draw(results, options.out / f"gradient_flow_{options.task}_{options.length}.png")


if __name__ == "__main__":
    main()
