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
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.timing import paired
from penstock.layers.attention import decoder_program
from penstock.models.translator import Translator
from penstock.search import Beam, beam_search

EOS, STEPS = 0, 15
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class Plain(nn.Module):
    """What a user of PyTorch writes."""

    def __init__(self, words: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.source = nn.Embedding(words, embedding)
        self.target = nn.Embedding(words, embedding)
        self.encoder = nn.GRU(embedding, hidden, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.first, self.second = nn.GRUCell(embedding, hidden), nn.GRUCell(2 * hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.energy = nn.Linear(hidden, 1, bias=False)
        self.readout = nn.Linear(3 * hidden + embedding, embedding)
        self.output = nn.Linear(embedding, words)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        packed = pack_padded_sequence(self.source(source), lengths, enforce_sorted=False)
        memory = pad_packed_sequence(self.encoder(packed)[0])[0].transpose(0, 1)
        mask = torch.arange(memory.shape[1]) < lengths[:, None]
        h = torch.tanh(self.bridge(memory.sum(1) / lengths[:, None]))
        return memory, self.keys(memory), mask, h

    def step(
        self, x: Tensor, h: Tensor, memory: Tensor, keys: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        h = self.first(x, h)
        energies = self.energy(torch.tanh(self.query(h)[:, None] + keys))[..., 0]
        shares = torch.softmax(energies.masked_fill(~mask, -1e9), -1)
        context = torch.bmm(shares[:, None], memory)[:, 0]
        h = self.second(context, h)
        return torch.tanh(self.readout(torch.cat([h, context, x], -1))), h

    def loss(self, source: Tensor, lengths: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        memory, keys, mask, h = self.encode(source, lengths)
        outputs = []
        for x in self.target(inputs):
            read, h = self.step(x, h, memory, keys, mask)
            outputs.append(read)
        logits = self.output(torch.stack(outputs)).flatten(0, 1)
        return F.cross_entropy(logits, targets.flatten(), ignore_index=-1, reduction="sum")

    @torch.no_grad()
    def translate(self, source: Tensor, lengths: Tensor, beam: int) -> Tensor:
        """The best of a beam after a number of steps."""
        batch = source.shape[1]
        memory, keys, mask, h = (
            tensor.repeat_interleave(beam, 0) for tensor in self.encode(source, lengths)
        )
        ids = torch.full((batch * beam, 1), EOS)
        scores = torch.tensor([0.0] + [-torch.inf] * (beam - 1)).repeat(batch)
        first = torch.arange(batch)[:, None] * beam
        for _ in range(STEPS):
            read, h = self.step(self.target(ids[:, -1]), h, memory, keys, mask)
            log_p = torch.log_softmax(self.output(read), -1)
            log_p[:, EOS] = -torch.inf
            total = (scores[:, None] + log_p).view(batch, -1)
            best, places = total.topk(beam)
            rows = (first + places // log_p.shape[1]).flatten()
            scores, h = best.flatten(), h[rows]
            ids = torch.cat([ids[rows], (places % log_p.shape[1]).flatten()[:, None]], 1)
        return ids.view(batch, beam, -1)[:, 0, 1:]


def made_batch(words: int, size: int) -> Batch:
    """Random sentences of usual lengths: source, its lengths, target, its lengths."""
    lengths = (13 + 4 * torch.randn(2, size)).round().clamp(4, 30).long().sort(-1).values
    sides = [torch.randint(2, words, (int(side.max()), size)) for side in lengths]
    return sides[0], lengths[0], sides[1], lengths[1]


def training(model: Translator | Plain, batch: Batch) -> Callable[[], None]:
    """Loss and gradient of a batch."""
    source, source_lengths, target, lengths = batch
    inputs = torch.cat([torch.zeros_like(target[:1]), target[:-1]])
    targets = target.masked_fill(torch.arange(len(target))[:, None] >= lengths, -1)

    def run() -> None:
        model.zero_grad(set_to_none=True)
        if isinstance(model, Plain):
            loss = model.loss(source, source_lengths, inputs, targets)
        else:
            loss = model.loss(model(source, source_lengths, inputs, lengths), targets)
        loss.backward()

    return run


def decoding(model: Translator | Plain, batch: Batch, beam: int) -> Callable[[], None]:
    """Translations of a batch; untrained models seldom end one before it is as long as can be."""
    source, lengths = batch[:2]
    options = Beam(size=beam, max_length=STEPS)

    def run() -> None:
        if isinstance(model, Plain):
            model.translate(source, lengths, beam)
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
    ours = Translator(
        options.words,
        options.words,
        "gru-pytorch",
        decoder_program("gru-pytorch", form="conditional"),
        embedding_size=options.embedding,
        hidden_size=options.hidden,
        bidirectional=True,
        reads_summary=False,
        first_state="mean",
    )
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


if __name__ == "__main__":
    main()
