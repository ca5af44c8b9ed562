"""What most papers' equations share, for the tests that write them out by hand."""

from __future__ import annotations

from torch import Tensor


def gate(w: dict[str, Tensor], name: str, x: Tensor, h: Tensor) -> Tensor:
    """W x + U h + b, as nearly every paper writes a pre-activation."""
    return x @ w[f"W_{name}"].T + h @ w[f"U_{name}"].T + w[f"b_{name}"]


def only_h(h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Output and states of a cell whose one state is its output."""
    return h, {"h": h}
