"""The adding problem and the copy task: which cells remember over 150 steps, and why.

    python examples/long_memory.py --task adding --length 150 --out long_memory

Adding (Le, Jaitly & Hinton 2015): two numbers of a sequence are marked; their sum is to be
told at the end. Always answering 1 has a squared error of 1/6 (0.1767 in the paper).
Copy (Hochreiter & Schmidhuber 1997): symbols are to be repeated after a long silence.
Guessing has a cross entropy of ln 8.

The table goes to standard output, progress to standard error. The picture shows how much of
the gradient of the last step's loss is left at each earlier state, before and after training.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.layers.recurrent import Recurrent

mpl.use("Agg")
from matplotlib import pyplot as plt

SYMBOLS = 8
CHECK_EVERY = 100  # updates


def adding(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers in [0, 1) with one mark in each half: xs (T, B, 2), their sum (B,)."""
    numbers = torch.rand(length, batch, generator=generator)
    marks = torch.zeros(length, batch)
    for low, high in ((0, length // 2), (length // 2, length)):
        marks[torch.randint(low, high, (batch,), generator=generator), torch.arange(batch)] = 1
    return torch.stack([numbers, marks], -1), (numbers * marks).sum(0)


def copy(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One symbol, silence, a call for it: xs (T + 1, B, 10), the symbol (B,)."""
    symbol = torch.randint(SYMBOLS, (batch,), generator=generator)
    blank, call = SYMBOLS, SYMBOLS + 1
    codes = torch.full((length + 1, batch), blank)
    codes[0], codes[-1] = symbol, call
    return F.one_hot(codes, SYMBOLS + 2).float(), symbol


@dataclass(frozen=True)
class Task:
    """What to learn, and when it is learnt.

    Attributes:
        make: (length, batch, generator) -> input (T, B, D), target (B,).
        loss: (answer (B, outputs), target) -> mean loss.
        error: the same -> the number that falls below ``solved`` when the task is solved.
    """

    make: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    input_size: int
    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]
    solved: float
    measure: str


def squared(answer: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of one number."""
    return F.mse_loss(answer[:, 0], target)


def wrong(answer: Tensor, target: Tensor) -> Tensor:
    """Share of wrong symbols."""
    return (answer.argmax(-1) != target).float().mean()


TASKS = {
    "adding": Task(adding, 2, 1, squared, squared, 0.01, "squared error"),
    "copy": Task(copy, SYMBOLS + 2, SYMBOLS, F.cross_entropy, wrong, 0.01, "wrong symbols"),
}


class Memory(nn.Module):
    """A recurrent layer and one linear answer from its last output."""

    def __init__(self, cell: str, task: Task, hidden: int) -> None:
        super().__init__()
        self.layer = Recurrent(cell, task.input_size, hidden)
        self.answer = nn.Linear(hidden, task.outputs)

    def forward(self, xs: Tensor) -> Tensor:
        return self.answer(self.layer(xs)[0][-1])


def gradient_flow(model: Memory, task: Task, xs: Tensor, target: Tensor) -> list[float]:
    """Norm of d loss / d state(t), mean over the batch, from the last step to the first.

    The state is all that a step hands to the next: h, and c where the cell has one.
    """
    state, states = None, []
    for x in xs:
        _, state = model.layer.step(x, state)
        for part in state:
            part.retain_grad()
        states.append(state)
    answer = model.answer(states[-1].h[-1])
    (task.loss(answer, target) * len(target)).backward()
    norms = []
    for parts in states[:-1]:
        gradient = torch.cat([part.grad[0] for part in parts], -1)
        norms.append(gradient.norm(dim=-1).mean().item())
    model.zero_grad()
    return norms[::-1]


@dataclass
class Result:
    """One cell after training."""

    cell: str
    updates: int
    seconds: float
    error: float
    solved: bool
    flow_before: list[float]
    flow_after: list[float]


def train(cell: str, task: Task, options: argparse.Namespace) -> Result:
    """Train until the task is solved or the time is up."""
    torch.manual_seed(options.seed)
    held_out = task.make(options.length, 1000, torch.Generator().manual_seed(options.seed + 1))
    shown = tuple(part[..., :32, :] if part.ndim == 3 else part[:32] for part in held_out)
    generator = torch.Generator().manual_seed(options.seed)
    model = Memory(cell, task, options.hidden)
    before = gradient_flow(model, task, *shown)
    optimizer = torch.optim.Adam(model.parameters(), options.lr)
    start, updates, error = time.monotonic(), 0, float("inf")
    while updates < options.updates and time.monotonic() - start < options.minutes * 60:
        xs, target = task.make(options.length, options.batch, generator)
        optimizer.zero_grad()
        task.loss(model(xs), target).backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        updates += 1
        if updates % CHECK_EVERY == 0:
            error = measure(model, task, *held_out)
            note(f"{cell}: {updates} updates, {task.measure} {error:.4f}")
            if error < task.solved:
                break
    error = measure(model, task, *held_out)
    seconds = time.monotonic() - start
    after = gradient_flow(model, task, *shown)
    return Result(cell, updates, seconds, error, error < task.solved, before, after)


@torch.no_grad()
def measure(model: Memory, task: Task, xs: Tensor, target: Tensor) -> float:
    """The task's error on sequences never trained on."""
    return task.error(model(xs), target).item()


def draw(results: list[Result], path: Path) -> None:
    """The gradient's norm against the distance from the loss, before and after training."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, when in zip(axes, ("before", "after"), strict=True):
        for result in results:
            flow = getattr(result, f"flow_{when}")
            axis.semilogy(range(1, len(flow) + 1), flow, label=result.cell)
        axis.set(title=f"{when} training", xlabel="distance from the loss (steps)")
        axis.set_ylim(bottom=1e-12)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("norm of d loss(T) / d state(t)")
    axes[1].legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def table(results: list[Result], task: Task) -> str:
    """One line a cell."""
    lines = [f"{'cell':20}{'updates':>9}{'seconds':>9}{task.measure:>16}  solved (< {task.solved})"]
    for r in results:
        numbers = f"{r.updates:9}{r.seconds:9.0f}{r.error:16.4f}"
        lines.append(f"{r.cell:20}{numbers}  {'yes' if r.solved else 'no'}")
    return "\n".join(lines)


def note(text: str) -> None:
    """Progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--task", choices=TASKS, default="adding")
    add("--length", type=int, default=150, help="steps to remember over")
    cells = ["elman", "irnn", "elman-orthogonal", "lstm"]
    add("--cells", nargs="+", default=cells, help="names of the zoo: penstock cells")
    add("--hidden", type=int, default=64)
    add("--batch", type=int, default=32)
    add("--lr", type=float, default=1e-3, help="of Adam")
    add("--clip", type=float, default=1.0, help="largest norm of the gradient")
    add("--updates", type=int, default=20_000, help="at most, for each cell")
    add("--minutes", type=float, default=5.0, help="at most, for each cell")
    add("--seed", type=int, default=1)
    add("--out", type=Path, default=Path("long_memory"), help="folder of the picture")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Train every cell, print the table, draw the picture."""
    options = arguments(words)
    task = TASKS[options.task]
    results = [train(cell, task, options) for cell in options.cells]
    print(table(results, task))
    options.out.mkdir(parents=True, exist_ok=True)
    picture = options.out / f"gradient_flow_{options.task}_{options.length}.png"
    draw(results, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
