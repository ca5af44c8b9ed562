"""Speed of the output layers: ``python -m benchmarks outputs --words 10000 200000``.

One update is loss, gradient and a step of SGD for the output layer alone, over as many tokens as a
usual update of a language model has; targets are drawn by Zipf's law, as words of a text are. The
layers and what PyTorch offers (a Linear, the logits, a cross entropy) take turns, and the median
of the rounds is printed.  Beside them stands the embedding, and what can be updated sparsely is
there twice.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.timing import paired
from penstock.layers.output import OUTPUTS, Output, output_layer

TORCH = "torch Linear"


class Plain(Output):
    """What a user of PyTorch writes."""

    def __init__(self, width: int, vocab_size: int) -> None:
        super().__init__(width, vocab_size)
        self.linear = nn.Linear(width, vocab_size)

    def log_p(self, h: Tensor) -> Tensor:
        return torch.log_softmax(self.linear(h), -1)

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.linear(h), targets, reduction="none")


def updater(layer: Output, h: Tensor, targets: Tensor) -> Callable[[], None]:
    """One update of a layer, as a function."""
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)

    def update() -> None:
        optimiser.zero_grad()
        (layer.loss(h, targets) / len(targets)).backward()
        optimiser.step()

    return update


def reader(embedding: nn.Embedding, h: Tensor, ids: Tensor) -> Callable[[], None]:
    """One update of an embedding, as a function; h stands for the gradient of its vectors."""
    optimiser = torch.optim.SGD(embedding.parameters(), lr=0.1)

    def update() -> None:
        optimiser.zero_grad()
        embedding(ids).backward(h.detach())
        optimiser.step()

    return update


def measure(words: int, width: int, tokens: int, samples: int, rounds: int) -> dict[str, float]:
    """Tokens per second of every output layer at a size of the vocabulary."""
    frequencies = 1.0 / torch.arange(1, words + 1)
    counts = (frequencies * 10 * words).long()
    h = torch.randn(tokens, width, requires_grad=True)
    targets = torch.multinomial(frequencies, tokens, replacement=True)
    layers: dict[str, Output] = {TORCH: Plain(width, words)}
    for name, kind in OUTPUTS.items():
        options = {"counts": counts, "samples": samples}
        layers[name] = output_layer(name, width, words, **options)
        if "sparse" in kind.takes:
            layers[f"{name}, sparse"] = output_layer(name, width, words, sparse=True, **options)
    updates = {name: updater(layer.train(), h, targets) for name, layer in layers.items()}
    for name, sparse in (("embedding", False), ("embedding, sparse", True)):
        updates[name] = reader(nn.Embedding(words, width, sparse=sparse), h, targets)
    return {name: tokens / seconds for name, seconds in paired(updates, rounds).items()}


def main() -> None:
    """Print one table, or one JSON object a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--width", type=int, default=200, help="of the hidden layer")
    parser.add_argument("--tokens", type=int, default=700, help="of an update")
    parser.add_argument("--samples", type=int, default=1024, help="of sampled and nce")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    setup = f"{platform.processor() or platform.machine()}, torch {torch.__version__}"
    for words in options.words:
        found = measure(words, options.width, options.tokens, options.samples, options.rounds)
        if options.json:
            print(json.dumps({"words": words, "tokens_per_second": found, "setup": setup}))
            continue
        print(f"{words:,} words, width {options.width}, {options.tokens} tokens an update, {setup}")
        for name, speed in found.items():
            print(f"  {name:22}{speed:12,.0f} tokens/s{speed / found[TORCH]:8.1f}x")
