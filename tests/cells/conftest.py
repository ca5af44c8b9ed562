"""One check for all cells: a layer's outputs and states against equations written by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from penstock.layers.recurrent import Recurrent

Step = Callable[[dict[str, torch.Tensor], torch.Tensor, SimpleNamespace], tuple]


@pytest.fixture
def follows() -> Callable[[str, Step], None]:
    """``follows(cell, step)``: the layer computes what ``step(w, x, s)`` computes.

    ``w`` holds the weights by name, ``x`` (B, D) one input, ``s`` the states before it;
    ``step`` returns the output and the states after it.
    """

    def check(cell: str, step: Step) -> None:
        torch.manual_seed(7)
        layer = Recurrent(cell, 3, 8).double()
        with torch.no_grad():
            for weight in layer.weights().values():
                weight.normal_(0.0, 0.6)
            weights = {name: weight.clone() for name, weight in layer.weights().items()}
            _, start = layer(torch.randn(7, 2, 3, dtype=torch.float64))
            xs = torch.randn(9, 2, 3, dtype=torch.float64)
            ys, end = layer(xs, start)
        state = {name: value[0] for name, value in start._asdict().items()}
        expected = []
        for x in xs:
            y, changed = step(weights, x, SimpleNamespace(**state))
            state.update(changed)
            expected.append(y)
        close = {"rtol": 1e-10, "atol": 1e-12}  # one order of additions against another
        torch.testing.assert_close(ys, torch.stack(expected), **close)
        for name, value in end._asdict().items():
            torch.testing.assert_close(value[0], state[name], **close)

    return check
