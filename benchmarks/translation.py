"""Translators beside the same model in plain PyTorch: ``python -m benchmarks translation``.

The model is that of the recipe ``multi30k-en-de``: a bidirectional GRU, a conditional GRU with
additive attention, a readout and a softmax.  The plain side has ``nn.GRU`` and ``nn.GRUCell``, a
Python loop over the steps of the decoder, and a beam kept in tensors.  Sentences are random, as
long as those of Multi30k; the sides take turns.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.plain_translator import Plain
from benchmarks.timing import paired
from penstock.layers.attention import decoder_program
from penstock.models.translator import Translator
from penstock.search import Beam, beam_search

EOS, STEPS = 0, 15
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def translator(words: int, embedding: int, hidden: int) -> Translator:
    """Ours, with start weights."""
    return Translator(
        words,
        words,
        "gru-pytorch",
        decoder_program("gru-pytorch", form="conditional"),
        embedding_size=embedding,
        hidden_size=hidden,
        bidirectional=True,
        reads_summary=False,
        first_state="mean",
    )


def made_batch(words: int, size: int) -> Batch:
    """Random sentences of usual lengths: source, its lengths, target, its lengths."""
    lengths = (13 + 4 * torch.randn(2, size)).round().clamp(4, 30).long().sort(-1).values
    sides = [torch.randint(2, words, (int(side.max()), size)) for side in lengths]
    return sides[0], lengths[0], sides[1], lengths[1]


def loss(model: Translator | Plain, batch: Batch) -> Tensor:
    """The cross entropy of a batch."""
    source, source_lengths, target, lengths = batch
    inputs = torch.cat([torch.full_like(target[:1], EOS), target[:-1]])
    targets = target.masked_fill(torch.arange(len(target))[:, None] >= lengths, -1)
    if isinstance(model, Plain):
        return model.loss(source, source_lengths, inputs, targets)
    return model.loss(model(source, source_lengths, inputs, lengths), targets)


def training(model: Translator | Plain, batch: Batch) -> Callable[[], None]:
    """Loss and gradient of a batch."""

    def run() -> None:
        model.zero_grad(set_to_none=True)
        loss(model, batch).backward()

    return run


def decoding(model: Translator | Plain, batch: Batch, beam: int) -> Callable[[], None]:
    """Translations of a batch; untrained models seldom end one before it is as long as can be."""
    source, lengths = batch[:2]
    options = Beam(size=beam, max_length=STEPS)

    def run() -> None:
        if isinstance(model, Plain):
            model.translate(source, lengths, beam, most=STEPS, start=EOS, end=EOS)
            return
        with torch.no_grad():
            given = model.given(source, lengths)
            beam_search(given, len(lengths), options, start_id=EOS, eos_id=EOS)

    return run


def main() -> None:
    """Print words a second of training and of search, or a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=8000)
    parser.add_argument("--embedding", type=int, default=192)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    ours = translator(options.words, options.embedding, options.hidden)
    sides = {
        "penstock": ours,
        "plain torch": Plain(options.words, options.embedding, options.hidden),
    }
    batch = made_batch(options.words, options.batch)
    found: dict[str, dict[str, float]] = {}
    for side in sides.values():
        side.train()
    seconds = paired({n: training(m, batch) for n, m in sides.items()}, options.rounds)
    found["training"] = {name: int(batch[3].sum()) / s for name, s in seconds.items()}
    for side in sides.values():
        side.eval()
    for size in (options.batch, 1):
        some = (batch[0][:, :size], batch[1][:size], *batch[2:])
        searches = {n: decoding(m, some, options.beam) for n, m in sides.items()}
        seconds = paired(searches, options.rounds)
        title = f"beam {options.beam}, batch {size}"
        found[title] = {name: size * STEPS / s for name, s in seconds.items()}
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'target words/s':20}" + "".join(f"{name:>14}" for name in sides) + f"{'ratio':>8}")
    for title, row in found.items():
        ratio = row["penstock"] / row["plain torch"]
        print(
            f"{title:20}" + "".join(f"{speed:14,.0f}" for speed in row.values()) + f"{ratio:8.1f}"
        )
