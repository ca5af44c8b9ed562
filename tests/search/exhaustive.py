"""Small models whose every sequence can be listed, and search by listing them."""

from __future__ import annotations

import itertools

import torch

__all__ = ["BOS", "EOS", "Toy", "every", "score_of"]

EOS, BOS = 0, 1
"""The end, and the symbol that begins (an ordinary symbol too)."""


class Toy:
    """Log-probabilities from a random table of (sentence, step, last symbol, symbol before it).

    With ``sources`` it also looks at a source: a random distribution by the same key.
    """

    def __init__(self, vocab_size, *, seed=0, sentences=1, steps=8, sources=(), spread=2.0):
        sources = tuple(sources)
        generator = torch.Generator().manual_seed(seed)
        shape = (sentences, steps, vocab_size, vocab_size, vocab_size)
        logits = spread * torch.randn(shape, generator=generator, dtype=torch.double)
        self.log_p = torch.log_softmax(logits, -1)
        self.vocab_size, self.calls, self.first = vocab_size, [], 0
        self.looks, self.sources = None, torch.tensor(sources)
        if sources:
            logits = torch.randn((*shape[:-1], max(sources)), generator=generator).double()
            padding = torch.arange(max(sources)) >= torch.tensor(sources)[:, None]
            logits = logits.masked_fill(padding[:, None, None, None], -torch.inf)
            self.looks = torch.softmax(logits, -1)

    def start(self, batch):
        row = torch.arange(self.first, self.first + batch)
        return row, torch.full_like(row, -1), torch.full_like(row, BOS), torch.full_like(row, BOS)

    def step(self, ids, state):
        self.calls.append(len(ids))
        sentence, step, _, last = state
        key = (sentence, step + 1, last, ids)
        return self.log_p[key], key

    def select(self, state, rows):
        return tuple(part[rows] for part in state)

    def attention(self, state):
        """As wide as the longest source."""
        return None if self.looks is None else self.looks[state]

    def row(self, sentence, ids):
        """log p of ids and the end, and what was looked at: lists of one entry a symbol."""
        before, last = BOS, BOS
        log_ps, looked = [], []
        for step, symbol in enumerate([*ids, EOS]):
            key = (sentence, step, before, last)
            log_ps.append(float(self.log_p[key][symbol]))
            if self.looks is not None:
                looked.append(self.looks[key])
            before, last = last, symbol
        return log_ps, looked


def every(model, sentence, longest, score, *, allowed=lambda ids: True):
    """(score, ids) of every sequence, best first; the impossible are left out."""
    symbols = [symbol for symbol in range(model.vocab_size) if symbol != EOS]
    found = []
    for length in range(longest + 1):
        for ids in itertools.product(symbols, repeat=length):
            if allowed(list(ids)):
                value = score(*model.row(sentence, ids))
                if value > -torch.inf:
                    found.append((value, list(ids)))
    return sorted(found, key=lambda pair: -pair[0])


def score_of(options, *, words=None):
    """The score of a sequence, written from the paper: a function of what ``Toy.row`` gives."""

    def score(log_ps, looked):
        length = len(log_ps)
        divisor = {
            "none": 1,
            "average": length,
            "wu": (5 + length) ** options.alpha / 6**options.alpha,
        }
        value = sum(log_ps) / divisor[options.normalise]
        if options.coverage:
            seen = torch.stack(looked).sum(0)[:words]
            value += options.coverage * float(seen.clamp(max=1).log().sum())
        return value

    return score
