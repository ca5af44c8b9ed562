"""Masks: as often kept as asked for, the same for the same seed, of the type that is wanted."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from penstock.engines.noise import kept


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.65, 0.999])
def test_kept_as_often_as_asked_for(probability):
    mask = kept((400, 500), probability, torch.zeros(()))
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    deviation = (probability * (1 - probability) / mask.numel()) ** 0.5
    assert abs(mask.mean() - probability) < 5 * deviation
    for way in (0, 1):
        assert abs(mask.mean(way) - probability).max() < 6 * deviation * mask.shape[1 - way] ** 0.5


def test_certain_and_impossible():
    assert kept((50, 60), 1.0, torch.zeros(())).all()
    assert not kept((50, 60), 0.0, torch.zeros(())).any()
    assert kept((), 1.0, torch.zeros(())).shape == ()
    assert kept((0, 3), 0.5, torch.zeros(())).shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_seed_says_all_and_masks_differ(dtype):
    like = torch.zeros((), dtype=dtype)
    masks = []
    for _ in range(2):
        torch.manual_seed(7)
        masks.append([kept((30, 40), 0.5, like) for _ in range(2)])
    first, again = masks
    assert first[0].dtype is dtype
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(*first)


def test_where_operations_are_recorded_or_transformed():
    with FakeTensorMode():
        assert kept((3, 4), 0.5, torch.zeros(())).shape == (3, 4)
    drawn = torch.vmap(lambda x: x * kept((5,), 0.5, x), randomness="different")(torch.ones(200, 1))
    assert drawn.shape == (200, 5)
    assert 300 < drawn.sum() < 700
