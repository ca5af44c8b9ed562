"""How a run tells of the long work before and after training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.text import Progress

__all__ = ["Watch", "unwatched"]

Watch = Callable[[str], AbstractContextManager["Progress"]]
"""Told what long work begins, gives a function to be told how much is done, and of how much."""


def unwatched(title: str) -> AbstractContextManager[Progress]:
    """Told of long work, says nothing."""
    return nullcontext(lambda done, total: None)
