"""Pictures of how training went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.inspect import curves
from penstock.inspect.content import COMPARED, Picture

__all__ = ["comparison", "training"]


def comparison(runs: Sequence[tuple[str, curves.Records]]) -> Iterator[Picture]:
    """Several runs, name and records, side by side."""
    yield Picture(
        COMPARED,
        "Learning curves",
        "Validation perplexity; look at where each run ends and how fast it gets there.",
        curves.comparison(runs),
    )


def training(records: curves.Records, *, clip: float = 0.0) -> Iterator[Picture]:
    """One run; ``clip`` is the norm that its gradient is clipped to (0: any)."""
    section = "Training"
    if any(record.get("kind") == "epoch" for record in records):
        yield Picture(
            section,
            "Learning curves",
            "Perplexity after every epoch (faint: single updates). Training is measured while the "
            "weights change and with dropout, so it may lie above validation at first; where "
            "validation rises again, the model learns its training text by heart.",
            curves.learning(records),
        )
    norms = [record["grad_norms"] for record in records if record.get("grad_norms")]
    if not norms:
        return
    yield Picture(
        section,
        "Gradient norm by layer",
        "Before clipping. Spikes are what clipping is for; a layer far below the others learns "
        "slowly.",
        curves.layer_norms(records, clip=clip),
    )
    if layers := sum(group.startswith("layer") for group in curves.grouped(norms)):
        yield Picture(
            section,
            "Gradient norm by weight",
            "By letter, all gates together. As the lectures write it, W reads the input, U the "
            "state before, b is a bias: where U lies far below W, the past has little say.",
            curves.weight_norms(records),
            is_wide=layers > 1,
        )
