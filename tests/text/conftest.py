"""Where the real texts lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def found(name: str, title: str) -> Path:
    folder = Path(os.environ.get("PENSTOCK_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        pytest.skip(f"no {title} at {folder}; set PENSTOCK_DATA")
    return folder


@pytest.fixture(scope="session")
def ptb() -> Path:
    return found("ptb", "Penn Treebank")


@pytest.fixture(scope="session")
def multi30k() -> Path:
    return found("multi30k", "Multi30k")


@pytest.fixture(scope="session")
def tatoeba() -> Path:
    return found("tatoeba", "Tatoeba pairs")


@pytest.fixture(scope="session")
def moses_truth() -> Path:
    return found("moses-regtest", "Moses regression data") / "tokenizer"
