"""The best continuations: against sorting everything."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from penstock.search import Ensemble, Renumbered
from penstock.search.continuations import BLOCK, best
from penstock.search.model import device_of
from tests.search.exhaustive import Toy


@given(
    beams=st.integers(1, 3),
    size=st.integers(1, 4),
    vocab_size=st.integers(1, 9) | st.integers(BLOCK - 1, 7 * BLOCK + 5),
    number=st.integers(1, 4) | st.integers(5, 12),
    late=st.booleans(),
    empty=st.booleans(),
    wrong=st.sampled_from([None, -torch.inf, torch.nan]),
    dtype=st.sampled_from([torch.double, torch.float, torch.bfloat16]),
    seed=st.integers(0, 99),
)
def test_the_largest_sums(beams, size, vocab_size, number, late, empty, wrong, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    total = -torch.rand(beams, size, generator=generator, dtype=torch.double)
    log_p = -torch.rand(beams, size, vocab_size, generator=generator, dtype=torch.double)
    log_p[:, :, -3:] += late  # the last symbols, which fill no block, are the best
    if wrong is not None:
        log_p[torch.rand(log_p.shape, generator=generator) < 0.5] = wrong
    if empty:
        total[:, -1] = -torch.inf
    log_p, total = log_p.to(dtype), total.to(torch.promote_types(dtype, torch.float))
    found = best(total, log_p, number)
    sums = (total[:, :, None] + log_p).nan_to_num(-torch.inf, neginf=-torch.inf)
    expected = sums.flatten(1).sort(1, descending=True).values[:, :number]
    assert torch.equal(found.total, expected)
    row = torch.arange(beams)[:, None]
    assert torch.equal(sums[row, found.slot, found.symbol], found.total)
    assert all(
        len(set(zip(slots.tolist(), symbols.tolist(), strict=True))) == found.slot.shape[1]
        for slots, symbols in zip(found.slot, found.symbol, strict=True)
    )


class There(Toy):
    device = "meta"


@pytest.mark.parametrize(
    ("model", "device"),
    [
        (Toy(3), "cpu"),
        (There(3), "meta"),
        (nn.Linear(1, 1, device="meta"), "meta"),
        (nn.Identity(), "cpu"),
        (Ensemble([There(3), There(3)]), "meta"),
        (Renumbered(There(3), torch.arange(3)), "meta"),
    ],
    ids=["a model", "its device", "its weights", "no weights", "an ensemble", "renumbered"],
)
def test_where_a_model_takes_its_symbols(model, device):
    assert device_of(model) == torch.device(device)
