"""A translator as a user of PyTorch writes it, to measure ours beside."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from penstock.models.translator import Translator

__all__ = ["Plain"]


class Plain(nn.Module):
    """A bidirectional GRU, a conditional GRU with additive attention, a readout and a softmax."""

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
    def translate(
        self, source: Tensor, lengths: Tensor, beam: int, *, most: int, start: int, end: int
    ) -> list[list[int]]:
        """The best of a beam, by its mean log-probability, when all of it has ended."""
        batch = source.shape[1]
        memory, keys, mask, h = (
            tensor.repeat_interleave(beam, 0) for tensor in self.encode(source, lengths)
        )
        ids = torch.full((batch * beam, 1), start)
        scores = torch.tensor([0.0] + [-torch.inf] * (beam - 1)).repeat(batch)
        ended, first = torch.zeros(len(ids), dtype=torch.bool), torch.arange(batch)[:, None] * beam
        for _ in range(most):
            read, h = self.step(self.target(ids[:, -1]), h, memory, keys, mask)
            log_p = torch.log_softmax(self.output(read), -1)
            log_p[ended] = -torch.inf
            log_p[ended, end] = 0
            total = (scores[:, None] + log_p).view(batch, -1)
            best, places = total.topk(beam)
            rows = (first + places // log_p.shape[1]).flatten()
            scores, h = best.flatten(), h[rows]
            ids = torch.cat([ids[rows], (places % log_p.shape[1]).flatten()[:, None]], 1)
            ended = ids[:, -1] == end
            if ended.all():
                break
        counts = (ids[:, 1:] != end).sum(1)
        chosen = first[:, 0] + (scores / (counts + 1)).view(batch, beam).argmax(1)
        return [ids[row, 1 : counts[row] + 1].tolist() for row in chosen]

    @classmethod
    @torch.no_grad()
    def of(cls, model: Translator) -> Plain:
        """One that shares or copies the weights of a translator of the same kind."""
        words, decoder = model.decoder.words, model.decoder.recurrent
        assert words is not None
        plain = cls(1, words.embedding.embedding_dim, decoder.output_size)
        plain.source, plain.target = model.encoder.words.embedding, words.embedding
        plain.encoder = model.encoder.recurrent.to_torch()
        plain.bridge = model.bridge.map["h_0"]
        weights = decoder.weights()
        for cell, mark in ((plain.first, "_x"), (plain.second, "")):
            sides = {"W": cell.weight_ih, "U": cell.weight_hh, "b": cell.bias_ih}
            for name, side in sides.items():
                side.copy_(torch.cat([weights[f"{name}_{gate}{mark}"] for gate in "rzn"]))
            cell.bias_hh.zero_()[-cell.hidden_size :] = weights[f"q_n{mark}"]
        plain.query.weight.copy_(weights["W_a"])
        plain.keys.weight.copy_(weights["U_a"])
        plain.energy.weight.copy_(weights["v_a"][None])
        read = model.readout
        parts = [part.weight for part in (read.of_hidden, read.of_context, read.of_word)]
        plain.readout.weight.copy_(torch.cat(parts, 1))
        plain.readout.bias.copy_(read.of_hidden.bias)
        plain.output.weight = nn.Parameter(model.output.matrix.detach())
        plain.output.bias = model.output.bias
        return plain
