"""Learning-rate schedules and early stopping: small objects with a state that can be saved.

A schedule is asked for the rate at a point of training, counted in epochs (2.5 = half-way through
the third), and told the validation loss after each epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.registry import Registry

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "EarlyStopping",
    "Halve",
    "Schedule",
    "Warmup",
    "Zaremba",
    "schedule",
]


@dataclass
class Schedule:
    """What every schedule answers; on its own, a learning rate that never changes.

    Args:
        lr: the first learning rate.
    """

    lr: float

    def rate(self, epochs: float) -> float:
        """The learning rate after ``epochs`` epochs."""
        return self.lr

    def observe(self, loss: float) -> None:
        """Take note of a validation loss, in nats per token."""

    @property
    def finished(self) -> bool:
        """Whether the schedule wants training to end."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """What the schedule has learnt from the losses it has seen."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        for name, value in state.items():
            setattr(self, name, value)


class Constant(Schedule):
    """The same learning rate throughout."""


@dataclass
class Zaremba(Schedule):
    """Constant for ``decay_after`` epochs, then divided by ``decay`` for each further epoch.

        rate = lr / decay ** max(epoch - decay_after, 0)          epoch = 1, 2, ...

    Zaremba, Sutskever & Vinyals 2014: small model lr 1, decay 2 after 4 epochs; medium 1.2 after 6;
    large 1.15 after 14.

    >>> [Zaremba(1.0, decay=2.0, decay_after=2).rate(epoch) for epoch in range(4)]
    [1.0, 1.0, 0.5, 0.25]
    """

    decay: float
    decay_after: int

    def rate(self, epochs: float) -> float:
        return self.lr / self.decay ** max(math.floor(epochs) + 1 - self.decay_after, 0)


@dataclass
class Cosine(Schedule):
    """From ``lr`` down to 0 along half a cosine, one value per update.

        rate = lr / 2 * (1 + cos(pi * epochs / total))

    Loshchilov & Hutter 2017, equation 5, without restarts.

    >>> Cosine(2.0, total=4).rate(2.0)
    1.0
    """

    total: int

    def rate(self, epochs: float) -> float:
        return self.lr / 2 * (1 + math.cos(math.pi * min(epochs / self.total, 1.0)))


@dataclass
class Halve(Schedule):
    """Divide by ``decay`` after every epoch from the first one that stalls; end at the second.

    An epoch stalls when ``loss * 1.003 > loss of the epoch before``.  The rule of Mikolov's RNNLM
    toolkit (with ``decay`` 2), which besides goes back to the weights of the epoch before when the
    loss has grown.
    """

    decay: float
    divisions: int = 0
    stalls: int = 0
    last: float = math.inf

    def rate(self, epochs: float) -> float:
        return self.lr / self.decay**self.divisions

    def observe(self, loss: float) -> None:
        self.stalls += loss * 1.003 > self.last
        self.divisions += self.stalls > 0
        self.last = loss

    @property
    def finished(self) -> bool:
        return self.stalls > 1

    def state_dict(self) -> dict[str, Any]:
        return {"divisions": self.divisions, "stalls": self.stalls, "last": self.last}


class Warmup(Schedule):
    """Another schedule whose rate rises in a line, from 0, over the first ``epochs`` epochs.

    >>> [Warmup(Constant(3.0), epochs=2).rate(epoch) for epoch in range(4)]
    [0.0, 1.5, 3.0, 3.0]
    """

    def __init__(self, after: Schedule, epochs: float) -> None:
        super().__init__(after.lr)
        self.after, self.epochs = after, epochs

    def rate(self, epochs: float) -> float:
        return self.after.rate(epochs) * min(epochs / self.epochs, 1.0)

    def observe(self, loss: float) -> None:
        self.after.observe(loss)

    @property
    def finished(self) -> bool:
        return self.after.finished

    def state_dict(self) -> dict[str, Any]:
        return self.after.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.after.load_state_dict(state)


SCHEDULES: Registry[Callable[[float, float, int, int], Schedule]] = Registry(
    "schedule",
    "schedule",
    {
        "constant": lambda lr, decay, decay_after, epochs: Constant(lr),
        "cosine": lambda lr, decay, decay_after, epochs: Cosine(lr, epochs),
        "halve": lambda lr, decay, decay_after, epochs: Halve(lr, decay),
        "zaremba": lambda lr, decay, decay_after, epochs: Zaremba(lr, decay, decay_after),
    },
)


def schedule(
    name: str, lr: float, *, decay: float, decay_after: int, epochs: int, warmup: float = 0.0
) -> Schedule:
    """The schedule called ``name``; it uses those of the options it has.

    Args:
        warmup: epochs of a linear rise to the schedule's rate.

    Raises:
        ConfigError: when there is no such schedule.
    """
    found = SCHEDULES[name](lr, decay, decay_after, epochs)
    return Warmup(found, warmup) if warmup else found


@dataclass
class EarlyStopping:
    """Training ends when ``patience`` evaluations in a row brought no better loss (0: never)."""

    patience: int
    best: float = math.inf
    waited: int = 0

    def observe(self, loss: float) -> None:
        """Take note of a validation loss."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return 0 < self.patience <= self.waited

    def state_dict(self) -> dict[str, Any]:
        """The best loss and how long ago it was."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.best, self.waited = state["best"], state["waited"]
