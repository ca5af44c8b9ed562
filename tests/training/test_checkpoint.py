"""Checkpoints: every bit comes back, damage is noticed, and a full disk loses nothing."""

from __future__ import annotations

import errno
import os
import random

import numpy as np
import pytest
import torch
from torch import nn

from penstock import files, storage
from penstock.errors import DataError, PenstockError
from penstock.training import checkpoint
from penstock.training.averaged import observe
from penstock.training.optimise import OPTIMISERS, optimiser
from penstock.training.randomness import random_state, restore_random_state, seed_everything


def state(number):
    return {"model": {"w": torch.full((50,), float(number))}, "at": {"update": number}}


def tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    return model


def assert_same(a, b):
    """Equal trees, tensors bit by bit; a tuple may come back as a list."""
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def steps(model, opt, count):
    """Some training on fixed data."""
    data = torch.arange(12.0).view(4, 3) / 10

    def closure():
        opt.zero_grad()
        loss = (model(data) - data.flip(0)).square().mean()
        loss.backward()
        return loss.item()

    for _ in range(count):
        opt.step(closure)
        observe(opt, 1.0 + count)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimiser_state_comes_back_bit_by_bit_and_goes_on_alike(name, tmp_path):
    torch.manual_seed(0)
    model = tied()
    opt = optimiser(name, model.parameters(), 0.01, nonmono=1, max_iter=3)
    steps(model, opt, 1)
    steps(model, opt, 4)  # a worse loss: asgd averages from here on
    saved = {"model": checkpoint.model_tensors(model), "optimiser": opt.state_dict()}
    checkpoint.save_checkpoint(tmp_path, saved)
    loaded = checkpoint.load_latest(tmp_path, pytest.fail)
    assert_same(saved, loaded)

    other = tied()
    again = optimiser(name, other.parameters(), 0.01, nonmono=1, max_iter=3)
    checkpoint.set_model_tensors(other, loaded["model"], tmp_path)
    again.load_state_dict(loaded["optimiser"])
    steps(model, opt, 3)
    steps(other, again, 3)
    assert_same(model.state_dict(), other.state_dict())
    assert_same(opt.state_dict(), again.state_dict())


def test_shared_weights_are_stored_once_and_stay_shared(tmp_path):
    model, other = tied(), tied()
    path = tmp_path / "best.safetensors"
    checkpoint.save_tensors(path, model)
    checkpoint.load_tensors(path, other)
    assert "2.weight" not in storage.load(path)[0]
    assert other[2].weight is other[0].weight
    assert_same(model.state_dict(), other.state_dict())


def test_views_and_odd_types_are_stored(tmp_path):
    base = torch.arange(6.0)
    tensors = {
        "view": base.view(2, 3).T,
        "same": base,
        "scalar": torch.tensor(3),
        "none": torch.zeros(0, 2),
        "half": base.bfloat16(),
        "flags": base > 2,
    }
    storage.save(tmp_path / "f", tensors, None)
    assert_same(tensors, dict(sorted_like(storage.load(tmp_path / "f")[0], tensors)))


def sorted_like(found, names):
    return ((name, found[name]) for name in names)


def test_random_numbers_go_on(tmp_path):
    seed_everything(5)
    torch.randn(3), np.random.randn(3), random.gauss(0, 1)
    checkpoint.save_checkpoint(tmp_path, {"random": random_state()})
    draw = [lambda: torch.randn(2).tolist(), lambda: np.random.randn(2).tolist(), random.random]
    expected = [d() for d in draw]
    seed_everything(6)
    restore_random_state(checkpoint.load_latest(tmp_path, pytest.fail)["random"])
    assert [d() for d in draw] == expected


def test_no_checkpoint_yet(tmp_path):
    assert checkpoint.load_latest(tmp_path, pytest.fail) is None


@pytest.mark.parametrize("where", [0, 3, 30, 200, -100, -1])
def test_a_flipped_byte_is_noticed_and_the_previous_one_used(where, tmp_path):
    for number in (1, 2):
        checkpoint.save_checkpoint(tmp_path, state(number))
    newest = tmp_path / checkpoint.NEWEST
    raw = bytearray(newest.read_bytes())
    raw[where] ^= 1
    newest.write_bytes(raw)
    told = []
    assert_same(checkpoint.load_latest(tmp_path, told.append), state(1))
    assert len(told) == 1
    assert checkpoint.NEWEST in told[0]
    assert checkpoint.PREVIOUS in told[0]


def test_a_flipped_byte_anywhere_never_changes_what_is_read(tmp_path):
    checkpoint.save_checkpoint(tmp_path, state(1))
    newest, wrong = tmp_path / checkpoint.NEWEST, 0
    good = newest.read_bytes()
    for where in range(len(good)):
        newest.write_bytes(good[:where] + bytes([good[where] ^ 1]) + good[where + 1 :])
        try:
            assert_same(checkpoint.load_latest(tmp_path, pytest.fail), state(1))
        except DataError:
            wrong += 1
    assert wrong > 0.9 * len(good)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_file_cut_short_is_noticed_and_never_takes_the_place_of_the_good_one(length, tmp_path):
    for number in (1, 2):
        checkpoint.save_checkpoint(tmp_path, state(number))
    newest = tmp_path / checkpoint.NEWEST
    newest.write_bytes(newest.read_bytes()[:length])
    assert_same(checkpoint.load_latest(tmp_path, lambda text: None), state(1))
    checkpoint.save_checkpoint(tmp_path, state(3))
    newest.write_bytes(b"")
    assert_same(checkpoint.load_latest(tmp_path, lambda text: None), state(1))


def test_a_kill_between_the_two_renamings_leaves_the_previous_one(tmp_path):
    checkpoint.save_checkpoint(tmp_path, state(1))
    os.replace(tmp_path / checkpoint.NEWEST, tmp_path / checkpoint.PREVIOUS)
    assert_same(checkpoint.load_latest(tmp_path, pytest.fail), state(1))


def test_nothing_readable_is_one_clear_error(tmp_path):
    for number in (1, 2):
        checkpoint.save_checkpoint(tmp_path, state(number))
    for name in (checkpoint.NEWEST, checkpoint.PREVIOUS):
        (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(DataError, match="No checkpoint is readable"):
        checkpoint.load_latest(tmp_path, pytest.fail)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_keeps_the_last_good_one_and_removes_the_rest(failing, tmp_path, monkeypatch):
    checkpoint.save_checkpoint(tmp_path, state(1))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, failing, full)
        with pytest.raises(PenstockError, match=r"no space left.*last good checkpoint stays"):
            checkpoint.save_checkpoint(tmp_path, state(2))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NEWEST]
    assert_same(checkpoint.load_latest(tmp_path, pytest.fail), state(1))


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "best.safetensors"
    checkpoint.save_tensors(path, nn.Linear(2, 3))
    with pytest.raises(DataError, match=r"expected bias of shape \(4,\), got \(3,\)"):
        checkpoint.load_tensors(path, nn.Linear(2, 4))
    with pytest.raises(DataError, match=r"best\.safetensors: cannot be read"):
        checkpoint.load_tensors(tmp_path / "gone" / "best.safetensors", nn.Linear(2, 3))
