"""Generating text by sampling from a model that scores the next symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from penstock.errors import ConfigError

__all__ = ["NextSymbol", "Sampling", "generate"]


class NextSymbol(Protocol):
    """A model that search can use: a first state, and one step from symbol to symbol."""

    def start(self, batch: int) -> Any:
        """The state before any symbol."""

    def step(self, ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Symbols (B,) -> log-probabilities of the next (B, V), and the state."""


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn.

    Attributes:
        temperature: log-probabilities are divided by it; 0 takes the most probable symbol.
        top_k: draw among the k most probable symbols only (0: all).
        top_p: draw among the fewest symbols whose probabilities reach p (1: all; Holtzman
            et al. 2020).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ConfigError(
                "Sampling: expected temperature >= 0, top_k >= 0 and top_p in (0, 1], got "
                f"temperature={self.temperature}, top_k={self.top_k}, top_p={self.top_p}."
            )

    def draw(self, log_p: Tensor, generator: torch.Generator) -> Tensor:
        """One symbol for each row of log-probabilities: (B, V) -> (B,)."""
        if self.temperature == 0:
            return log_p.argmax(-1)
        scores = log_p / self.temperature
        if self.top_k and self.top_k < scores.shape[-1]:
            least = scores.topk(self.top_k).values[..., -1:]
            scores = scores.masked_fill(scores < least, -torch.inf)
        probabilities = torch.softmax(scores, -1)
        if self.top_p < 1:
            probabilities = _nucleus(probabilities, self.top_p)
        return torch.multinomial(probabilities, 1, generator=generator)[..., 0]


@torch.no_grad()
def generate(
    model: NextSymbol,
    prompt: Sequence[int],
    sampling: Sampling | None = None,
    *,
    seed: int = 1,
    forbidden: Sequence[int] = (),
) -> Iterator[int]:
    """Symbols after a prompt, one by one, without end.

    Args:
        model: gives the probability of the next symbol.
        prompt: ids to begin with, at least one (``<eos>`` stands for the start of a line).
        sampling: how to draw; by default from the model's own distribution.
        seed: of the random numbers.
        forbidden: ids never to draw, such as ``<unk>``.
    """
    if not prompt:
        raise ConfigError("generate: expected a prompt of at least one symbol.")
    sampling = sampling or Sampling()
    generator = torch.Generator().manual_seed(seed)
    state = model.start(1)
    for symbol in prompt[:-1]:
        _, state = model.step(torch.tensor([symbol]), state)
    last = torch.tensor([prompt[-1]])
    while True:
        log_p, state = model.step(last, state)
        log_p[:, list(forbidden)] = -torch.inf
        last = sampling.draw(log_p, generator)
        yield int(last)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The most probable symbols until their sum reaches ``top_p``; the rest 0."""
    ordered, order = probabilities.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter(-1, order, kept)
