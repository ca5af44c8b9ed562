"""The compiled look-ups against those of numpy."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from penstock.counting import core
from penstock.counting.core import Core
from tests.counting.by_numpy import text_scores


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("threads", [1, 3])
def test_same_scores_as_numpy(model, letters, test_ids, monkeypatch, threads, dtype):
    monkeypatch.setattr(core, "PIECE", 40)
    expected = text_scores(model.levels, test_ids, letters.eos_id, letters.bos_id)
    found = Core(model.levels, letters).scores(test_ids.astype(dtype), threads)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_array_equal(found[1], expected[1])


def test_lines_are_split_as_python_splits_them(model, letters):
    """At every character of white space, and at no other."""
    one = Core(model.levels, letters)
    lines = [f"a{chr(c)}b" for c in range(0x3100) if c < 0x100 or chr(c).isspace() or not c % 37]
    lines += [chr(0x10348) + " a", "", "  ", "a\0b", "é a", "\u2028a\u3000", "\u200ba b"]
    for line in lines:
        text = letters.encode_text(" ".join(line.split()) + "\n")
        scores, _ = text_scores(model.levels, text, letters.eos_id, letters.bos_id)
        assert one.score(line) == pytest.approx(float(scores.sum())), repr(line)
    assert sum(chr(c).isspace() for c in range(sys.maxunicode + 1)) == 29


def test_half_a_surrogate_pair_is_an_unknown_word(model):
    assert model.score("a \ud800") == pytest.approx(model.score("a ?"))
