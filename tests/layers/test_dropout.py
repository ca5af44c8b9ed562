"""Dropout with shared masks: what is shared, what is scaled, and when nothing is dropped."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from penstock.layers.dropout import sequence_dropout, symbol_vectors


def test_a_mask_lasts_a_sequence_and_differs_between_sequences():
    torch.manual_seed(1)
    dropped = sequence_dropout(torch.ones(5, 40, 50), 0.3, True)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert not torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.1)


def test_a_symbol_is_dropped_wherever_it_occurs():
    torch.manual_seed(1)
    embedding = nn.Embedding(400, 3)
    ids = torch.arange(400).repeat(2, 1)
    vectors = symbol_vectors(embedding, ids, 0.25, True)
    dropped = (vectors == 0).all(-1)
    assert torch.equal(vectors[0], vectors[1])
    assert torch.allclose(vectors[~dropped], embedding(ids)[~dropped] / 0.75)
    assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped(rate, training):
    embedding, xs, ids = nn.Embedding(4, 3), torch.randn(2, 3, 4), torch.tensor([1, 3])
    assert torch.equal(sequence_dropout(xs, rate, training), xs)
    assert torch.equal(symbol_vectors(embedding, ids, rate, training), embedding(ids))
