"""A toy task with everything that makes resuming hard: dropout, shuffling, carried state, ties.

Run as a program it trains in the folder given, for the tests that kill it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from penstock.training import Task, TrainingSettings, fit, seed_everything


class ToyModel(nn.Module):
    """A tanh network with tied embeddings that predicts the next of 7 symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 6)
        self.rnn = nn.RNN(6, 6)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(6, 7)
        self.output.weight = self.embedding.weight

    def forward(self, ids: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        hs, h = self.rnn(self.dropout(self.embedding(ids)), h)
        return self.output(self.dropout(hs)), h


class ToyTask(Task):
    """Streams of a noisy cycle of symbols, read in windows whose order is drawn anew each epoch."""

    updates_per_epoch = 12

    def __init__(self, model: ToyModel, pause: float = 0.0) -> None:
        self.model, self.pause = model, pause
        generator = torch.Generator().manual_seed(3)
        steps = torch.randint(1, 3, (12 * 5 + 1, 4), generator=generator)
        self.ids = steps.cumsum(0) % 7
        self.h = torch.zeros(1, 4, 6)
        self.order = torch.arange(12)

    def begin_epoch(self, epoch: int) -> None:
        self.order, self.h = torch.randperm(12), torch.zeros(1, 4, 6)

    def loss(self, update: int) -> tuple[Tensor, int]:
        time.sleep(self.pause)
        begin = 5 * int(self.order[update])
        logits, h = self.model(self.ids[begin : begin + 5], self.h)
        self.h = h.detach()
        targets = self.ids[begin + 1 : begin + 6]
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()), 20

    def carry(self) -> dict[str, Tensor]:
        return {"h": self.h}

    def restore(self, carry: dict[str, Tensor]) -> None:
        self.h = carry["h"]

    def validate(self) -> dict[str, float]:
        logits, _ = self.model(self.ids[:-1], torch.zeros(1, 4, 6))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), self.ids[1:].flatten())
        return {"loss": float(loss), "entropy_share": float(loss) / 2}


SETTINGS = TrainingSettings(
    optimiser="adam", lr=0.02, epochs=4, checkpoint_every=5, log_every=3, schedule="cosine"
)


def train(folder: Path, settings: TrainingSettings = SETTINGS, pause: float = 0.0, **more):
    """Build and train the toy from its seed; returns model and summary."""
    seed_everything(settings.seed)
    model = ToyModel()
    return model, fit(ToyTask(model, pause), model, settings, folder, **more)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), pause=float(sys.argv[2]))
