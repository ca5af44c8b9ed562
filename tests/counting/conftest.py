"""Real files, and small models that many tests read."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.counting import NGramModel, Vocabulary, estimate
from tests.counting.naive import LETTERS, sentences


def text_of(lines: list[list[str]]) -> str:
    return "".join(" ".join(words) + "\n" for words in lines)


@pytest.fixture(scope="session")
def letters() -> Vocabulary:
    return Vocabulary(LETTERS)


@pytest.fixture(scope="session")
def model(letters: Vocabulary) -> NGramModel:
    """Order 4 over letters."""
    ids = letters.encode_text(text_of(sentences(54, 100)))
    return estimate(ids, letters, order=4)


@pytest.fixture(scope="session")
def test_ids(letters: Vocabulary) -> np.ndarray:
    """Another text of the same letters, some of them unknown."""
    lines = [[*line[:3], "?", *line[3:]] if i % 5 == 0 else line
             for i, line in enumerate(sentences(3, 200))]  # fmt: skip
    return letters.encode_text(text_of(lines))
