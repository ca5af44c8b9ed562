"""Fair times: the sides of a comparison take turns, and the median of the rounds counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["paired", "turns"]

ENOUGH = 0.002
"""Seconds that one measured turn takes at least; shorter work is repeated within a turn."""


def paired(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side."""
    return {name: statistics.median(found) for name, found in turns(sides, rounds).items()}


def turns(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in every round, all of them run in each; the first two warm up."""
    repeats = {}
    for name, run in sides.items():
        run()
        repeats[name] = max(1, round(ENOUGH / _seconds(run)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            times[name].append(_seconds(run, repeats[name]) / repeats[name])
    return times


def _seconds(run: Callable[[], object], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - start
