"""Lines translated in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.search import Beam, Draws
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder, Translation
from penstock.translation.system import System
from penstock.translation.translating import WINDOW, translate


def translated(
    systems: Sequence[System],
    lines: Sequence[str],
    options: Beam | Draws | None = None,
    *,
    demands: Sequence[Demand] | None = None,
    window: int = WINDOW,
    **how: Any,
) -> list[Translation]:
    """The translations of all lines; how they are found, as a :class:`Finder` takes it."""
    finder = Finder(systems, options or Beam(), **how)
    return list(translate(finder, lines, demands, window=window))
