"""How far two results may differ, each with the reason."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["TOLERANCES", "assert_close"]


class Tolerance(NamedTuple):
    """Relative and absolute tolerance."""

    rtol: float
    atol: float
    why: str


TOLERANCES = {
    "same bits": Tolerance(0.0, 0.0, "the same operations in the same order"),
    "float64": Tolerance(1e-9, 1e-11, "sums and products grouped in another order"),
    "float32": Tolerance(1e-6, 1e-6, "sums grouped in another order; the bound of issue 2"),
    "float32 of two engines": Tolerance(
        3e-5, 1e-5, "up to 101 steps of rounding, sums in another order, own exp and tanh"
    ),
    "products with 16 bits": Tolerance(
        1e-3, 1e-3, "with int8 weights one row is rounded to 16 bits; layer normalisation enlarges"
    ),
    "finite differences": Tolerance(1e-4, 1e-7, "central differences with a step of 1e-6"),
    "frequency": Tolerance(0.0, 0.02, "a share of 40,000 draws; 8 standard deviations"),
}


def assert_close(actual: Tensor, expected: Tensor, kind: str) -> None:
    """Two tensors of one type and shape agree within the tolerance called ``kind``."""
    tolerance = TOLERANCES[kind]
    torch.testing.assert_close(
        actual,
        expected,
        rtol=tolerance.rtol,
        atol=tolerance.atol,
        msg=lambda text: f"{text}\nTolerance {kind!r}: {tolerance.why}.",
    )
