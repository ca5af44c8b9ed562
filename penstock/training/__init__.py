"""Training: one loop for every system.  A :class:`Task` says what is learnt."""

from penstock.training.loop import fit
from penstock.training.randomness import seed_everything
from penstock.training.settings import TrainingSettings
from penstock.training.state import Summary
from penstock.training.task import Task
from penstock.training.update import Diverged

__all__ = ["Diverged", "Summary", "Task", "TrainingSettings", "fit", "seed_everything"]
