"""What a person sees of a run, on stderr: a live bar, plain lines, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["Listener", "LiveListener", "PlainListener", "listener"]


class Listener:
    """Hears what the training loop does; this one stays silent.  Used as a context manager."""

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def start(self, epochs: int, updates_per_epoch: int, done: int) -> None:
        """Training begins, or goes on after ``done`` updates."""

    def update(self, epoch: int, figures: Mapping[str, float], tokens: int) -> None:
        """One update on ``tokens`` tokens is done; ``figures`` are of the epoch so far."""

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """An epoch, counted from 1, is done."""

    def message(self, text: str) -> None:
        """Something the user should know."""


class _Timed(Listener):
    """Knows how fast the training is."""

    def __init__(self) -> None:
        self._epochs, self._tokens, self._first, self._began = 0, 0, 0.0, time.perf_counter()

    def start(self, epochs: int, updates_per_epoch: int, done: int) -> None:
        self._epochs, self._began = epochs, time.perf_counter()
        self._tokens, self._first = 0, done / max(updates_per_epoch, 1)

    def update(self, epoch: int, figures: Mapping[str, float], tokens: int) -> None:
        self._tokens += tokens

    def line(self, epoch: int, figures: Mapping[str, float]) -> str:
        """An epoch's figures, and the speed."""
        return f"epoch {epoch}/{self._epochs}  {show(figures)}  {self.speed()}"

    def speed(self) -> str:
        """Tokens a second since the start."""
        return f"{self._tokens / max(self._seconds(), 1e-9):,.0f} tokens/s"

    def left(self, epoch: int) -> str:
        """The time that all epochs after this one will take, as those so far."""
        seconds = self._seconds() / max(epoch - self._first, 1e-9) * (self._epochs - epoch)
        return f"{timedelta(seconds=round(seconds))} left"

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


class PlainListener(_Timed):
    """One line an epoch and one a message, for a log file."""

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        left = f"  {self.left(epoch)}" if epoch < self._epochs else ""
        self.message(self.line(epoch, figures) + left)

    def message(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class LiveListener(_Timed):
    """A bar over the whole run with the epoch's figures, tokens per second and the time left."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console or Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=None, figures="")

    def __enter__(self) -> Listener:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def start(self, epochs: int, updates_per_epoch: int, done: int) -> None:
        super().start(epochs, updates_per_epoch, done)
        self._bar.reset(self._task, total=epochs * updates_per_epoch, completed=done)

    def update(self, epoch: int, figures: Mapping[str, float], tokens: int) -> None:
        super().update(epoch, figures, tokens)
        self._bar.update(
            self._task,
            advance=1,
            description=f"epoch {epoch}/{self._epochs}",
            figures=f"{show(figures)}  {self.speed()}",
        )

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        self.message(self.line(epoch, figures))

    def message(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def show(figures: Mapping[str, Any]) -> str:
    """Names and numbers on one line.

    >>> show({"loss": 4.60517, "perplexity": 100.0, "lr": 0.0001})
    'loss 4.605  perplexity 100  lr 0.0001'
    """
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())


def listener(*, quiet: bool = False) -> Listener:
    """The listener that suits where stderr goes: a bar on a terminal, otherwise plain lines."""
    if quiet:
        return Listener()
    return LiveListener() if sys.stderr.isatty() else PlainListener()
