"""Where the Penn Treebank lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ptb() -> Path:
    folder = Path(os.environ.get("PENSTOCK_DATA", ROOT.parent / "shared" / "data")) / "ptb"
    if not folder.is_dir():
        pytest.skip(f"no Penn Treebank at {folder}; set PENSTOCK_DATA")
    return folder
