"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["Progress", "Watch", "adding", "silent", "unwatched"]

Progress = Callable[[int, int], object]
"""Told how much is done, and how much there is to do."""
Watch = Callable[[str], AbstractContextManager[Progress]]
"""Told what long work begins, gives what is to be told of its progress."""


def silent(done: int, total: int) -> None:
    """Told of progress, says nothing."""


def unwatched(title: str) -> AbstractContextManager[Progress]:
    """Told of long work, says nothing."""
    return nullcontext(silent)


def adding(progress: Progress, total: int) -> Callable[[int], None]:
    """What is told how much more is done, where ``progress`` is told how much in all.

    >>> advance = adding(lambda done, total: print(f"{done} of {total}"), 5)
    >>> advance(2), advance(3)
    2 of 5
    5 of 5
    (None, None)
    """
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    return advance
