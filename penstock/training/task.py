"""What the training loop asks of a task, whatever is learnt: language, tags, classes, translation.

The loop owns weights, optimiser, schedule, checkpoints and the log; the task owns the data and says
what the loss of an update is.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

__all__ = ["Task"]


class Task(Protocol):
    """Data and loss of one training run; subclass it, or give an object with these methods.

    Random numbers come from the default generators only, so that a resumed run draws the same
    ones.  The order of an epoch is drawn in :meth:`begin_epoch`, from the epoch and the generators
    alone: a resumed run calls it again with the generators as they were.

    Attributes:
        updates_per_epoch: updates in every epoch, at least 1.
    """

    updates_per_epoch: int

    def begin_epoch(self, epoch: int) -> None:
        """Get ready for an epoch, counted from 0: shuffle, go back to the first state."""

    @abstractmethod
    def loss(self, update: int) -> tuple[Tensor, int]:
        """The loss of one update of the epoch, counted from 0.

        Returns:
            loss: mean loss per token in nats, a scalar with a gradient.
            tokens: how many tokens it is the mean of, at least 1 (0 where another process
                that shares the batch has them all).
        """

    def carry(self) -> dict[str, Tensor]:
        """The state handed from one update to the next, under names; nothing by default."""
        return {}

    def restore(self, carry: dict[str, Tensor]) -> None:
        """Go on from a state that :meth:`carry` gave."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Figures on the validation data, ``loss`` (nats per token) among them.

        The model is in evaluation mode and no gradient is kept.  Without ``loss`` the training loss
        is used.  The state of :meth:`carry` must be left as it was.
        """

    def criterion(self, figures: Mapping[str, float]) -> float:
        """What decides which model is best, from the figures of :meth:`validate`: the lowest."""
        return figures["loss"]

    def figures(self, loss: float) -> dict[str, float]:
        """What to show beside a training loss; perplexity by default."""
        return {"perplexity": math.exp(loss) if loss < 700 else math.inf}
