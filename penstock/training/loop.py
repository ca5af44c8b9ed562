"""The training loop: epochs of updates, validation, the best weights, and a run that can be killed.

Whatever the moment it was killed at, the same call goes on from the newest checkpoint and ends with
the same weights and the same ``metrics.jsonl``, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from penstock.files import disk_errors
from penstock.training import checkpoint, distributed
from penstock.training.averaged import evaluation
from penstock.training.best import BestWeights
from penstock.training.clip import NamedGradients, named_gradients
from penstock.training.interrupt import interruptible
from penstock.training.listener import Listener
from penstock.training.log import MetricsLog, NoLog
from penstock.training.settings import TrainingSettings
from penstock.training.state import Summary, TrainingState
from penstock.training.task import Task
from penstock.training.update import Diverged, update

__all__ = ["Summary", "fit"]


def fit(
    task: Task,
    model: nn.Module,
    settings: TrainingSettings,
    folder: Path,
    *,
    gradients: NamedGradients | None = None,
    listener: Listener | None = None,
) -> Summary:
    """Train ``model`` on ``task`` and leave it with its best weights.

    The caller has called ``seed_everything(settings.seed)`` before it built the model and the task.
    An interrupt (Ctrl-C) ends training after a checkpoint; a second one ends it at once.

    Args:
        folder: where checkpoints, ``best.safetensors`` and the logs are kept; a run found there is
            continued.
        gradients: gives the gradients by name, to clip and log each on its own (default: those of
            the module's parameters).
        listener: what a person sees (default: nothing).

    Raises:
        Diverged: when loss, gradient or validation loss is not finite; the last checkpoint is good.
        PenstockError: when the folder holds another run, or the disk is full.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    state = TrainingState(task, model, settings)
    speaks = distributed.rank() == 0
    with listener if listener and speaks else Listener() as shown:
        saved = checkpoint.load_latest(folder, shown.message)
        changed = state.restore(saved, folder) if saved else []
        lengths = saved["log"] if saved else None
        log = MetricsLog(folder, lengths, tensorboard=settings.tensorboard) if speaks else NoLog()
        if saved:
            at = state.at
            shown.message(f"going on from epoch {at.epoch + 1}, update {at.update}")
        if changed:
            shown.message(f"settings changed since then: {', '.join(changed)}")
        try:
            return _Loop(state, folder, log, gradients or named_gradients(model), shown).run()
        finally:
            log.close()


class _Loop:
    """One call of :func:`fit`."""

    def __init__(
        self,
        state: TrainingState,
        folder: Path,
        log: MetricsLog | NoLog,
        gradients: NamedGradients,
        listener: Listener,
    ) -> None:
        self.state, self.folder, self.log = state, folder, log
        self.gradients, self.listener = gradients, listener
        self.task, self.model, self.settings = state.task, state.model, state.settings
        self.best = BestWeights(folder, state.settings.average)
        self.clock = time.perf_counter()

    def run(self) -> Summary:
        state = self.state
        self.listener.start(self.settings.epochs, self.task.updates_per_epoch, state.at.updates)
        reason = state.finished()
        with interruptible() as interrupted:
            while not reason:
                self.epoch(interrupted)
                stopped = distributed.any_of(interrupted())
                reason = state.finished() or ("interrupted" if stopped else "")
        if reason == "interrupted":
            self.listener.message(
                f"interrupted; saved in {self.folder}, the same command goes on from here"
            )
        if state.at.best_epoch:
            self.best.load(state.at.kept, self.model)
        return state.summary(reason)

    def epoch(self, interrupted: Callable[[], bool]) -> None:
        """The rest of the present epoch, or as far as the user lets it."""
        at, every = self.state.at, self.settings.checkpoint_every
        began, cpu, tokens = time.perf_counter(), time.process_time(), at.tokens
        self.state.begin_epoch()
        self.model.train()
        while at.update < self.task.updates_per_epoch:
            self.update()
            if distributed.any_of(interrupted()):
                self.save()
                return
            if every and at.updates % every == 0 and at.update < self.task.updates_per_epoch:
                self.save()
        seconds = time.perf_counter() - began
        speed = (at.tokens - tokens) / seconds
        cpu = time.process_time() - cpu
        timing = {"seconds": seconds, "cpu_seconds": cpu, "tokens_per_second": speed}
        self.log.write_timing({"epoch": at.epoch + 1} | timing)
        self.end_epoch()

    def update(self) -> None:
        at, every = self.state.at, self.settings.log_every
        rate = self.state.set_rate()
        detailed = every > 0 and (at.updates + 1) % every == 0
        distributed.reseed(self.settings.seed, at.updates)
        with self.diverged(f"update {at.update + 1}"):
            opt, settings = self.state.optimiser, self.settings
            done = update(self.task, at.update, opt, settings, self.gradients, detailed=detailed)
        at.update, at.updates = at.update + 1, at.updates + 1
        at.nats, at.tokens = at.nats + done.loss * done.tokens, at.tokens + done.tokens
        at.norms += done.norm
        if self.state.average:
            self.state.average.update()
        if detailed:
            figures = {"loss": done.loss, "grad_norm": done.norm, "grad_norms": done.norms}
            self.record("update", rate, figures)
        mean = at.nats / at.tokens
        shown = {"loss": mean, **self.task.figures(mean)}
        self.listener.update(at.epoch + 1, shown, done.tokens)

    def end_epoch(self) -> None:
        """Validate, keep the weights if they are the best, write the record and a checkpoint."""
        at = self.state.at
        figures = {"train_loss": at.nats / at.tokens, "grad_norm": at.norms / at.update}
        with evaluation(self.model, self.state.optimiser, self.state.average):
            valid = distributed.from_first(self.validate() if self.speaks else None)
            loss = valid.get("loss", figures["train_loss"])
            with self.diverged("validation"):
                if not math.isfinite(loss):
                    raise Diverged(f"expected a finite validation loss, got {loss}")
            figure = self.task.criterion({"loss": loss, **valid})
            if figure < at.best:
                at.best, at.best_loss, at.best_epoch = figure, loss, at.epoch + 1
            at.kept = self.best.keep(at.kept, figure, at.epoch + 1, self.model)
        figures |= {f"valid_{name}": value for name, value in valid.items()}
        self.record("epoch", self.state.optimiser.param_groups[0]["lr"], figures)
        self.state.end_epoch(loss, figure)
        self.save()
        self.listener.epoch(at.epoch, figures)

    @property
    def speaks(self) -> bool:
        """Whether this process writes: one of those that train together."""
        return distributed.rank() == 0

    def validate(self) -> dict[str, float]:
        """The task's figures, as plain numbers."""
        return {name: float(value) for name, value in self.task.validate().items()}

    def record(self, kind: str, rate: float, figures: Mapping[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``."""
        at = self.state.at
        place = {"kind": kind, "epoch": at.epoch + 1, "update": at.updates, "lr": rate}
        self.log.write(place | dict(figures), at.updates)

    def save(self) -> None:
        """Write a checkpoint."""
        now = time.perf_counter()
        self.state.at.seconds, self.clock = self.state.at.seconds + now - self.clock, now
        if self.speaks:
            self.state.save(self.folder, self.log.position())

    @contextmanager
    def diverged(self, where: str) -> Iterator[None]:
        """Complete the message of a run that cannot go on."""
        try:
            yield
        except Diverged as error:
            s, newest = self.settings, self.folder / checkpoint.NEWEST
            kept = f"The last good checkpoint is {newest}." if newest.exists() else ""
            clip = s.clip_norm or "off"
            raise Diverged(
                f"fit: {error} at epoch {self.state.at.epoch + 1}, {where}. Try a lower lr (now"
                f" {s.lr}) or a smaller clip_norm (now {clip}). {kept}".rstrip()
            ) from None
