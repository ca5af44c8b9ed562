"""Speed and error of large products beside PyTorch's: ``python -m benchmarks products``.

The products of training a layer with inputs as wide as itself, and those of a softmax over 10,000
words.  Errors are by the sum of what is added up, in units of 2^-24.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.layers import SIZES
from benchmarks.timing import paired
from penstock.engines.precision import products_in
from penstock.engines.product import multiply

__all__ = ["main", "operands"]

ULP = 2.0**-24


def operands(tokens: int, inputs: int, outputs: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """What a linear map multiplies forward, back to its input, and for its matrix."""
    x, matrix, grad = (
        torch.randn(shape) for shape in ((tokens, inputs), (outputs, inputs), (tokens, outputs))
    )
    yield "output", x, matrix.T
    yield "gradient of the input", grad, matrix
    yield "gradient of the matrix", grad.T, x


def error(found: Tensor, left: Tensor, right: Tensor) -> float:
    """Root mean square, relative to the sum of the magnitudes added up, in units of 2^-24."""
    left, right = left.double(), right.double()
    relative = (found - left @ right) / (left.abs() @ right.abs())
    return float(relative.square().mean().sqrt()) / ULP


def within(precision: str, run: Callable[[], object]) -> Callable[[], None]:
    """The same in a precision."""

    def done() -> None:
        with products_in(precision):
            run()

    return done


def measure(precision: str, left: Tensor, right: Tensor, rounds: int) -> tuple[float, ...]:
    """GFLOP/s and error of ours, and of PyTorch's."""
    (rows, depth), columns = left.shape, right.shape[1]
    out = torch.empty(rows, columns)
    sides = {
        "ours": within(precision, lambda: multiply(left, right, out=out)),
        "torch": within(precision, lambda: torch.mm(left, right, out=out)),
    }
    seconds, figures = paired(sides, rounds), []
    for name, run in sides.items():
        run()
        figures += [2e-9 * rows * depth * columns / seconds[name], error(out, left, right)]
    return tuple(figures)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'rows, depth, columns':42} {'ours':>14} {'PyTorch':>18} {'ratio':>7}   errors")
    maps = [(batch * steps, size, 4 * size) for batch, steps, size in SIZES]
    ratios = []
    for shape in [*maps, (700, 650, 10_000)]:
        for name, left, right in operands(*shape):
            ours, mine, peer, theirs = measure(options.precision, left, right, options.rounds)
            ratios.append(ours / peer)
            size = ", ".join(map(str, (*left.shape, right.shape[1])))
            print(
                f"{name:24}{size:18} {ours:6.0f} GFLOP/s {peer:10.0f} GFLOP/s {ours / peer:7.2f}"
                f"   {mine:.2f} {theirs:.2f}",
                flush=True,
            )
    mean = statistics.geometric_mean(ratios)
    print(f"geometric mean of the ratios {mean:.2f}, least {min(ratios):.2f}")
