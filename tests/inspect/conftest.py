"""Small models and texts to look into."""

from __future__ import annotations

import pytest
import torch

from penstock.models.language import LanguageModel
from penstock.text import Tokeniser

LINES = [
    "the cat sat on the mat & purred <loudly> all day",
    'a dog said "no" to the cat , and $5 to the "tom\'s" shop',
    "日本語 naïve ☃ 🜁 and more words here to read",
    "the end of it",
] * 12


@pytest.fixture(autouse=True)
def seeded():
    """The same start weights in every test."""
    torch.manual_seed(1)


@pytest.fixture
def make_model():
    """A small language model in float64, for exact comparisons."""

    def make(cell, vocab_size=11, **options):
        options = {"embedding_size": 5, "hidden_size": 6, **options}
        return LanguageModel(vocab_size, cell, **options).double()

    return make


@pytest.fixture
def make_tokeniser():
    """A tokeniser of some kind over text with all sorts of characters."""

    def make(kind):
        size = {"bpe": 280, "unigram": 280}.get(kind)
        return Tokeniser.from_lines(LINES, kind, vocab_size=size)

    return make
