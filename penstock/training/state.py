"""Everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from penstock.errors import ConfigError, DataError
from penstock.training import checkpoint
from penstock.training.averaged import ExponentialAverage, observe
from penstock.training.optimise import optimiser
from penstock.training.randomness import random_state, restore_random_state
from penstock.training.schedule import EarlyStopping, schedule
from penstock.training.settings import TrainingSettings
from penstock.training.task import Task

__all__ = ["Position", "Summary", "TrainingState"]


@dataclass
class Position:
    """Where a run is, what it has summed up so far in the epoch, and its best epoch.

    Attributes:
        epoch: whole epochs done.
        update: updates done in the present epoch.
        updates: updates done in all.
        nats: training loss of the present epoch, summed over its tokens.
        tokens: tokens of the present epoch.
        norms: gradient norms of the present epoch, summed over its updates.
        seconds: time spent.
        best: lowest figure of :meth:`Task.criterion`.
        best_loss: validation loss of that epoch, in nats per token.
        best_epoch: the epoch it was reached in, from 1 (0: none yet).
        kept: figure and epoch of the best epochs, best first.
    """

    epoch: int = 0
    update: int = 0
    updates: int = 0
    nats: float = 0.0
    tokens: int = 0
    norms: float = 0.0
    seconds: float = 0.0
    best: float = math.inf
    best_loss: float = math.inf
    best_epoch: int = 0
    kept: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        epochs: whole epochs done.
        updates: updates done.
        best_loss: validation loss of the best epoch in nats per token (infinite before one ends).
        best_epoch: that epoch, from 1 (0: none).
        seconds: time spent, over all the times the run was resumed.
        stopped: why it ended: epochs, patience, schedule or interrupted.
    """

    epochs: int
    updates: int
    best_loss: float
    best_epoch: int
    seconds: float
    stopped: str


class TrainingState:
    """Model, optimiser, schedule, position and random numbers: saved and restored whole."""

    def __init__(self, task: Task, model: nn.Module, settings: TrainingSettings) -> None:
        self.task, self.model, self.settings = task, model, settings
        self.optimiser = optimiser(
            settings.optimiser,
            model.parameters(),
            settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nonmono=settings.nonmono,
        )
        self.schedule = schedule(
            settings.schedule,
            settings.lr,
            decay=settings.decay,
            decay_after=settings.decay_after,
            epochs=settings.epochs,
            warmup=settings.warmup,
        )
        self.stopping = EarlyStopping(settings.patience)
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        self.average = ExponentialAverage(trained, settings.ema) if settings.ema else None
        self.at = Position()
        self._epoch_random = random_state()
        self._resumed: Mapping[str, Any] | None = None

    def finished(self) -> str:
        """Why training is over, or an empty text."""
        if self.at.epoch >= self.settings.epochs:
            return "epochs"
        if self.stopping.finished:
            return "patience"
        return "schedule" if self.schedule.finished else ""

    def summary(self, stopped: str) -> Summary:
        """What to tell the caller when the run ends."""
        at = self.at
        return Summary(at.epoch, at.updates, at.best_loss, at.best_epoch, at.seconds, stopped)

    def begin_epoch(self) -> None:
        """Prepare the task; within an epoch that was begun before, with its random numbers."""
        if self._resumed is None or self.at.update == 0:
            self._epoch_random = random_state()
            self.task.begin_epoch(self.at.epoch)
        else:
            restore_random_state(self._epoch_random)
            self.task.begin_epoch(self.at.epoch)
            restore_random_state(self._resumed["random"])
            self.task.restore(self._resumed["carry"])
        self._resumed = None

    def set_rate(self) -> float:
        """Give the optimiser the learning rate of the next update."""
        progress = self.at.epoch + self.at.update / self.task.updates_per_epoch
        rate = self.schedule.rate(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def end_epoch(self, loss: float, figure: float) -> None:
        """Tell everyone how good the model is, and go to the next epoch.

        Args:
            loss: validation loss, in nats per token.
            figure: what decides which epoch is best.
        """
        self.schedule.observe(loss)
        self.stopping.observe(figure)
        observe(self.optimiser, loss)
        self.at.epoch += 1
        self.at.update, self.at.nats, self.at.tokens, self.at.norms = 0, 0.0, 0, 0.0

    def save(self, folder: Path, log: Mapping[str, int]) -> None:
        """Write a checkpoint; ``log`` is the length of the logs at this moment."""
        state = {
            "model": checkpoint.model_tensors(self.model),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "stopping": self.stopping.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "random": random_state(),
            "epoch_random": self._epoch_random,
            "carry": self.task.carry(),
            "at": asdict(self.at),
            "log": log,
            "settings": asdict(self.settings),
            "updates_per_epoch": self.task.updates_per_epoch,
        }
        checkpoint.save_checkpoint(folder, state)

    def restore(self, saved: Mapping[str, Any], folder: Path) -> list[str]:
        """Take everything from a checkpoint; returns the settings that have changed since.

        Raises:
            PenstockError: when the checkpoint belongs to another model, data or kind of run.
        """
        changes = self.settings.changes(saved["settings"])
        if changes.refused:
            raise ConfigError(
                f"{folder}: expected the settings this run began with, got "
                f"{', '.join(changes.refused)}. Keep them, or train in another folder."
            )
        if saved["updates_per_epoch"] != self.task.updates_per_epoch:
            raise DataError(
                f"{folder}: expected {saved['updates_per_epoch']} updates an epoch as at the start"
                f" of this run, got {self.task.updates_per_epoch}. The data or its batching has"
                " changed; train in another folder."
            )
        checkpoint.set_model_tensors(self.model, saved["model"], folder / checkpoint.NEWEST)
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        self.stopping.load_state_dict(saved["stopping"])
        if self.average:
            self.average.load_state_dict(saved["average"])
        self.at = Position(**saved["at"])
        self._epoch_random, self._resumed = saved["epoch_random"], saved
        restore_random_state(saved["random"])
        self.task.restore(saved["carry"])
        return changes.allowed
