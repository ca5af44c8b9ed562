"""The binary format: what is written is read; what is damaged is refused."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.counting import NGramModel, Vocabulary, binary, estimate
from penstock.counting.binary import read_binary
from penstock.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("binary") / "a.ngram"
    model.save(path)
    return path


def test_everything_is_read_back(model, stored, test_ids):
    again = NGramModel.load(stored)
    assert again.vocabulary.words == model.vocabulary.words
    for one, other in zip(model.levels, again.levels, strict=True):
        assert isinstance(other.log_p, np.memmap)
        for name in ("prefix", "word", "log_p", "backoff"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(again.log_probs(test_ids), model.log_probs(test_ids))
    assert read_binary(stored, check=True).sizes == model.sizes


@pytest.mark.parametrize("order", [1, 2])
def test_small_models(tmp_path, order):
    v = Vocabulary([])
    model = estimate(np.array([0, 0]), v, order=order, smoothing="witten-bell")
    model.save(tmp_path / "a.ngram")
    again = NGramModel.load(tmp_path / "a.ngram")
    assert again.score("what") == model.score("what")


def test_another_version(stored, tmp_path):
    path = tmp_path / "a.ngram"
    path.write_bytes(stored.read_bytes().replace(b"n-gram 1", b"n-gram 2", 1))
    with pytest.raises(DataError, match="expected version 1 of the format, got '2'"):
        NGramModel.load(path)


def test_a_name_without_a_format(model, tmp_path):
    with pytest.raises(ConfigError, match="expected a name that ends in"):
        model.save(tmp_path / "model.txt")


@settings(max_examples=200)
@given(st.data())
def test_damaged_files_are_refused(stored, tmp_path_factory, data):
    """Any byte changed, any cut, anything more at the end."""
    text = bytearray(stored.read_bytes())
    kind = data.draw(st.sampled_from(["change", "cut", "more"]))
    if kind == "change":
        text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del text[data.draw(st.integers(0, len(text) - 1)) :]
    else:
        text += b"x"
    path = tmp_path_factory.mktemp("damaged") / "a.ngram"
    path.write_bytes(text)
    again = None
    with suppress(DataError):
        again = NGramModel.load(path)
    if again is not None:  # the byte was one between two arrays
        assert kind == "change"
        assert again.score("a b") == NGramModel.load(stored).score("a b")


def test_damage_in_a_file_too_large_to_be_checked(model, tmp_path, monkeypatch):
    """It is found when it is met, and by a check that is asked for."""
    path = tmp_path / "a.ngram"
    model.save(path)
    entries = model.levels[1].table.entries
    place = path.read_bytes().index(entries.tobytes())
    text = bytearray(path.read_bytes())
    for slot in np.flatnonzero(entries["place"] >= 0):
        text[place + 16 * slot + 8 : place + 16 * slot + 12] = b"\xff\xff\xff\x7f"
    path.write_bytes(text)
    monkeypatch.setattr(binary, "WHOLE", 0)
    damaged = NGramModel.load(path)
    with pytest.raises(DataError, match="the model's file is damaged"):
        damaged.score("a b a")
    with pytest.raises(DataError, match="damaged or cut short"):
        read_binary(path, check=True)
    text[place + entries.nbytes - 16 : place + entries.nbytes] = bytes(16)
    path.write_bytes(text)
    with pytest.raises(DataError, match="the table of order 2"):
        NGramModel.load(path)
