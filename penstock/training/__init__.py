"""Training: one loop for every system.  A :class:`Task` says what is learnt."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.training.loop import fit
    from penstock.training.randomness import seed_everything
    from penstock.training.settings import TrainingSettings
    from penstock.training.state import Summary
    from penstock.training.task import Task
    from penstock.training.update import Diverged

__all__ = ["Diverged", "Summary", "Task", "TrainingSettings", "fit", "seed_everything"]

_PLACES = {
    "Diverged": "update",
    "Summary": "state",
    "Task": "task",
    "TrainingSettings": "settings",
    "fit": "loop",
    "seed_everything": "randomness",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: settings need no PyTorch."""
    if name not in _PLACES:
        raise AttributeError(f"module 'penstock.training' has no attribute {name!r}")
    return getattr(import_module(f"penstock.training.{_PLACES[name]}"), name)
