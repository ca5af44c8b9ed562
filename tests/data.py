"""Where the real texts lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def data(name: str) -> Path:
    """A file or folder of the real data, or a reason to skip the test."""
    path = Path(os.environ.get("PENSTOCK_DATA", ROOT.parent / "shared" / "data")) / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set PENSTOCK_DATA")
    return path
