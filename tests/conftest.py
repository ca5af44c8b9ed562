"""What every test starts from: one thread, one seed, no memory of earlier runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
# Helpers such as strategies, tolerances and cells/by_hand are imported by their own name.
sys.path += [str(HERE), *(str(room) for room in HERE.iterdir() if room.is_dir())]


settings.register_profile(
    "suite",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("suite")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
