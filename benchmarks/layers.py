"""Speed of recurrent layers beside PyTorch's: ``python -m benchmarks layers``.

Training is forward and all gradients, input size = hidden size, float32.  A ratio is PyTorch's
(or the Python loop's) time over ours: above 1 we are faster.  GFLOP/s counts the products alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.timing import paired
from penstock import _native
from penstock._native import multiplies_halves
from penstock.cells import CELLS
from penstock.engines.precision import PRECISIONS, products_in
from penstock.layers.recurrent import Recurrent

SIZES = [(20, 35, 200), (20, 35, 650), (64, 35, 512), (32, 100, 128), (1, 100, 256)]
"""B, T, H."""
PEERS = {"lstm": nn.LSTM, "gru-pytorch": nn.GRU, "elman": nn.RNN}
ONE_PRODUCT = ["lstm-peephole", "lstm-coupled", "janet", "gru-pytorch", "nas", "ran"]
TWO_PRODUCTS = ["gru", "mgu", "mut1", "lstm-multiplicative", "lem"]
Row = dict[str, Any]


def training(layer: nn.Module, xs: Tensor, **options: Any) -> Callable[[], None]:
    """One forward and backward pass of a layer, as a function."""

    def run() -> None:
        ys = layer(xs, **options)[0]
        ys.backward(torch.ones_like(ys))

    return run


def inference(layer: nn.Module, xs: Tensor) -> Callable[[], None]:
    """One forward pass, as a function."""

    @torch.no_grad()
    def run() -> None:
        layer(xs)

    return run


def work(cell: str, batch: int, steps: int, size: int) -> float:
    """Floating-point operations of a cell's products in training."""
    shapes = [w.shape for w in CELLS[cell].program().weights if len(w.shape) == 2]
    return 6.0 * len(shapes) * batch * steps * size * size


def inputs(batch: int, steps: int, size: int) -> Tensor:
    """Random sequences that want a gradient."""
    return torch.randn(steps, batch, size, requires_grad=True)


def one_layer(rounds: int) -> Iterator[Row]:
    """PyTorch's own three layers, one layer of each."""
    for cell, peer in PEERS.items():
        for batch, steps, size in SIZES:
            xs = inputs(batch, steps, size)
            sides = {"torch": training(peer(size, size), xs)}
            sides["ours"] = training(Recurrent(cell, size, size), xs)
            yield row(f"{cell}, 1 layer", (batch, steps, size), paired(sides, rounds), cell)


def two_layers(rounds: int) -> Iterator[Row]:
    """The small language model of Zaremba et al."""
    xs = inputs(20, 35, 200)
    sides = {"torch": training(nn.LSTM(200, 200, 2), xs)}
    sides["ours"] = training(Recurrent("lstm", 200, 200, 2), xs)
    yield row("lstm, 2 layers", (20, 35, 200), paired(sides, rounds))


def other_cells(rounds: int) -> Iterator[Row]:
    """Cells that PyTorch has not, beside the same equations in a loop of PyTorch operations."""
    for cell in ["lstm", *ONE_PRODUCT, *TWO_PRODUCTS]:
        size = (20, 35, 200)
        xs = inputs(*size)
        sides = {"loop": training(Recurrent(cell, 200, 200, engine="reference"), xs)}
        sides["ours"] = training(Recurrent(cell, 200, 200), xs)
        products = "2 products" if cell in TWO_PRODUCTS else "1 product"
        yield row(f"{cell} ({products} a step)", size, paired(sides, rounds), cell)


def peers(rounds: int) -> Iterator[Row]:
    """LSTMs of other libraries that are installed: training in JAX, inference in ONNX Runtime."""
    from benchmarks.peers import installed

    for name, peer in installed().items():
        for size in SIZES:
            layer, xs = Recurrent("lstm", size[2], size[2]), inputs(*size)
            ours = training(layer, xs) if name == "jax" else inference(layer, xs)
            sides = {name: peer(*size, torch.get_num_threads()), "ours": ours}
            what = "training" if name == "jax" else "inference"
            yield row(f"lstm, {what} beside {name}", size, paired(sides, rounds))


@torch.no_grad()
def streaming(rounds: int) -> Iterator[Row]:
    """A hundred steps, batch 1: each from the state that the last one gave, and in a stream."""
    for size, precision in product((128, 256, 512), PRECISIONS):
        ours, peer, x = Recurrent("lstm", size, size), nn.LSTMCell(size, size), torch.randn(1, size)
        ours.eval().quantise(precision)
        theirs, stream = steps(peer, x, peer(x)), ours.stream()
        for name, run in (
            ("steps", steps(ours.step, x, ours(x[None])[1])),
            ("tokens of a stream", lambda: [stream(x) for _ in range(100)]),  # noqa: B023
        ):
            found = paired({"torch": theirs, "ours": run}, rounds)
            yield row(f"lstm, 100 {name}, {precision}", (1, 1, size), found)


def steps(step: Callable[..., Any], x: Tensor, state: Any) -> Callable[[], None]:
    """A hundred steps; a step of PyTorch's gives the state alone, ours an output before it."""

    def run() -> None:
        now = state
        for _ in range(100):
            made = step(x, now)
            now = made if isinstance(step, nn.Module) else made[1]

    return run


def lengths(rounds: int) -> Iterator[Row]:
    """Lengths drawn from 1 to 100 beside full length, ours and PyTorch's; times per real token."""
    batch, steps, size = 32, 100, 128
    xs, layer = inputs(batch, steps, size), Recurrent("lstm", size, size)
    some = torch.randint(1, steps + 1, (batch,))
    whole = {"our layer": layer, "nn.LSTM": nn.LSTM(size, size)}
    for name, full in whole.items():
        found = paired(
            {"torch": training(full, xs), "ours": training(layer, xs, lengths=some)}, rounds
        )
        found["ours"] *= batch * steps / some.sum().item()
        what = f"lstm, lengths 1..100 per real token, beside {name} at full length"
        yield row(what, (batch, steps, size), found)


def bfloat16(rounds: int) -> Iterator[Row]:
    """Training with products in bfloat16 beside float32, our own layer both times."""
    for size in SIZES:
        xs, run = inputs(*size), training(Recurrent("lstm", size[2], size[2]), inputs(*size))
        sides = {"float32": run, "ours": products_in("bfloat16")(run)}
        yield row("lstm, 1 layer, bfloat16 beside float32", size, paired(sides, rounds), "lstm")
        sides = {"torch": training(nn.LSTM(size[2], size[2]), xs), "ours": sides["ours"]}
        yield row("lstm, 1 layer, bfloat16 beside nn.LSTM", size, paired(sides, rounds), "lstm")


def language_models(rounds: int) -> Iterator[Row]:
    """A whole update of the two language models of Zaremba et al., without the optimiser."""
    for steps, size in ((20, 200), (35, 650)):
        batch, words = 20, 10_000
        ids = torch.randint(words, (steps, batch))
        sides = {
            "torch": plain_update(nn.LSTM(size, size, 2), ids, size, words),
            "ours": our_update(ids, size, words),
        }
        what, shape = "language model, 2 layers, 10,000 words", (batch, steps, size)
        yield row(what, shape, paired(sides, rounds))
        if multiplies_halves():
            rounding = products_in("bfloat16")
            sides["ours"] = rounding(sides["ours"])
            yield row(f"{what}, ours in bfloat16", shape, paired(sides, rounds))
            sides["torch"] = rounding(sides["torch"])
            yield row(f"{what}, both", shape, paired(sides, rounds))


def plain_update(layer: nn.Module, ids: Tensor, size: int, words: int) -> Callable[[], None]:
    """What a user of PyTorch writes."""
    embedding, output = nn.Embedding(words, size), nn.Linear(size, words)

    def run() -> None:
        logits = output(layer(embedding(ids))[0])
        F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()

    return run


def our_update(ids: Tensor, size: int, words: int) -> Callable[[], None]:
    """The same with our language model."""
    from penstock.models.language import LanguageModel

    model = LanguageModel(words, "lstm", embedding_size=size, hidden_size=size, num_layers=2)

    def run() -> None:
        hidden, _ = model(ids)
        (model.loss(hidden, ids) / ids.numel()).backward()

    return run


def row(what: str, size: tuple[int, int, int], found: dict[str, float], cell: str = "") -> Row:
    """One line of the table."""
    (name, theirs), (_, ours) = found.items()
    made: Row = {"what": what, "size": size, "peer": name, "peer_ms": theirs * 1e3}
    made |= {"ms": ours * 1e3, "ratio": theirs / ours}
    return made | ({"gflops": work(cell, *size) / ours / 1e9} if cell else {})


def show(made: Row) -> None:
    """Print a line."""
    speed = f"{made['gflops']:6.0f} GFLOP/s" if "gflops" in made else ""
    size = ", ".join(map(str, made["size"]))
    print(
        f"{made['what']:58} ({size:12}) {made['peer']:5} {made['peer_ms']:9.3f} ms   "
        f"ours {made['ms']:9.3f} ms   ratio {made['ratio']:5.2f} {speed}",
        flush=True,
    )


PARTS = {
    "one": one_layer,
    "two": two_layers,
    "others": other_cells,
    "streaming": streaming,
    "peers": peers,
    "lengths": lengths,
    "models": language_models,
    "bfloat16": bfloat16,
}


def main() -> None:
    """Measure, print, and save what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{platform.processor() or platform.machine()}, {_native.instruction_sets()[0]}, ", end=""
    )
    print(f"{options.threads} threads, PyTorch {torch.__version__}")
    made = []
    for part in options.parts:
        for line in PARTS[part](options.rounds):
            show(line)
            made.append(line)
    for cell in PEERS:
        ratios = [line["ratio"] for line in made if line["what"] == f"{cell}, 1 layer"]
        if ratios:
            mean = statistics.geometric_mean(ratios)
            print(
                f"{cell}, 1 layer: geometric mean of the ratios {mean:.2f}, least {min(ratios):.2f}"
            )
    if options.out:
        options.out.write_text(json.dumps(made, indent=1))
