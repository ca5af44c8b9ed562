"""The published figures of the Penn Treebank."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.counting import Vocabulary, estimate
from tests.data import data


@pytest.fixture(scope="module")
def treebank():
    text = data("ptb/ptb.train.txt").read_text()
    words = dict.fromkeys(text.split())
    words.pop("<unk>")
    vocabulary = Vocabulary(words)
    test = vocabulary.encode_text(data("ptb/ptb.test.txt").read_text())
    return vocabulary, vocabulary.encode_text(text), test


def test_modified_kneser_ney(treebank):
    """Mikolov 2012, table 4.1: 141.2 for the 5-gram model that KN5 stands for."""
    vocabulary, ids, test = treebank
    model = estimate(ids, vocabulary, order=5)
    assert len(test) == 82430
    assert np.exp(-model.log_probs(test).mean()) == pytest.approx(141.2, abs=0.05)


def test_good_turing(treebank):
    """The same table: 165.2 for a 3-gram model with Good-Turing smoothing, of SRILM's defaults."""
    vocabulary, ids, test = treebank
    with pytest.warns(UserWarning, match="katz: order 1"):
        model = estimate(ids, vocabulary, order=3, smoothing="katz", prune=[0, 0, 1])
    assert np.exp(-model.log_probs(test).mean()) == pytest.approx(165.2, rel=0.01)
