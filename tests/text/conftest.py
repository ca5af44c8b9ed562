"""Where the real texts lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data import data


@pytest.fixture(scope="session")
def ptb() -> Path:
    return data("ptb")


@pytest.fixture(scope="session")
def multi30k() -> Path:
    return data("multi30k")


@pytest.fixture(scope="session")
def tatoeba() -> Path:
    return data("tatoeba")


@pytest.fixture(scope="session")
def moses_truth() -> Path:
    return data("moses-regtest") / "tokenizer"
