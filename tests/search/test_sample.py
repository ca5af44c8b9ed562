"""Sampling: every rule against the distribution it promises."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from penstock.errors import ConfigError
from penstock.search import Sampling, generate

P = torch.tensor([0.5, 0.25, 0.15, 0.1])


class Fixed:
    """Gives the same distribution at every step and counts its steps in the state."""

    def start(self, batch):
        return 0

    def step(self, ids, state):
        return P.log().repeat(len(ids), 1), state + 1


def frequencies(sampling, draws=4000):
    generator = torch.Generator().manual_seed(3)
    symbols = sampling.draw(P.log().repeat(draws, 1), generator)
    return torch.bincount(symbols, minlength=4) / draws


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(temperature=0), [1, 0, 0, 0]),
        (Sampling(temperature=0.5), (P**2 / (P**2).sum()).tolist()),
        (Sampling(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=99), [0.5, 0.25, 0.15, 0.1]),
        (Sampling(top_p=0.5), [1, 0, 0, 0]),
        (Sampling(top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
        (Sampling(top_k=3, top_p=0.75), [2 / 3, 1 / 3, 0, 0]),
    ],
    ids=str,
)
def test_drawn_as_promised(sampling, expected):
    assert frequencies(sampling) == pytest.approx(expected, abs=0.03)


def test_same_seed_same_text_and_forbidden_never():
    texts = [list(islice(generate(Fixed(), [0], seed=s, forbidden=[1]), 200)) for s in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]
    assert 1 not in texts[0]


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}], ids=str
)
def test_impossible_settings(options):
    with pytest.raises(ConfigError, match="Sampling: expected"):
        Sampling(**options)


def test_empty_prompt():
    with pytest.raises(ConfigError, match="at least one symbol"):
        next(generate(Fixed(), []))
