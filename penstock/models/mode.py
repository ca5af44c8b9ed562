"""A model put into evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluating"]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and back to what it was; a model that is in it keeps what it has packed."""
    was_training = model.training
    if any(module.training for module in model.modules()):
        model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()
