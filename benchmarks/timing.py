"""Fair times: the sides of a comparison take turns, and the median of the rounds counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["paired"]

ENOUGH = 0.002
"""Seconds that one measured turn takes at least; shorter work is repeated within a turn."""


def paired(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; all sides run in every round, after two rounds of warming up."""
    repeats = {}
    for name, run in sides.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, round(ENOUGH / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(found) for name, found in times.items()}
