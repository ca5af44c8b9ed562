"""Text drawn from a model that scores the next symbol, one by one or many side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.errors import ConfigError, DataError
from penstock.search.constraints import Constraints
from penstock.search.hypothesis import Hypothesis
from penstock.search.model import NextSymbol, Selectable, device_of
from penstock.search.options import LONGEST, Beam
from penstock.search.roll import roll
from penstock.search.rules import Past, ruled

__all__ = ["NextSymbol", "Sampling", "generate", "sample"]


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn.

    Attributes:
        temperature: log-probabilities are divided by it, from 0.0001 to 10000; 0 takes the most
            probable symbol.
        top_k: draw among the k most probable symbols only (0: all).
        top_p: draw among the fewest symbols whose probabilities reach p (1: all; Holtzman
            et al. 2020).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        fair = self.temperature == 0 or 1e-4 <= self.temperature <= 1e4
        if not fair or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ConfigError(
                "Sampling: expected temperature 0 or from 0.0001 to 10000, top_k >= 0 and top_p "
                f"in (0, 1], got temperature={self.temperature}, top_k={self.top_k}, "
                f"top_p={self.top_p}."
            )

    def draw(self, log_p: Tensor, generator: torch.Generator) -> Tensor:
        """One symbol for each row of log-probabilities: (B, V) -> (B,)."""
        if self.temperature == 0:
            return log_p.argmax(-1)
        return torch.multinomial(self.probabilities(log_p), 1, generator=generator)[..., 0]

    def probabilities(self, log_p: Tensor) -> Tensor:
        """The distribution that is drawn from: (B, V) -> (B, V)."""
        if self.temperature == 0:
            return F.one_hot(log_p.argmax(-1), log_p.shape[-1]).to(log_p.dtype)
        scores = log_p / self.temperature
        if self.top_k and self.top_k < scores.shape[-1]:
            least = scores.topk(self.top_k).values[..., -1:]
            scores = scores.masked_fill(scores < least, -torch.inf)
        probabilities = torch.softmax(scores, -1)
        return _nucleus(probabilities, self.top_p) if self.top_p < 1 else probabilities


@torch.no_grad()
def sample(
    model: Selectable,
    batch: int,
    sampling: Sampling | None = None,
    *,
    start_id: int,
    eos_id: int,
    number: int = 1,
    max_length: int = LONGEST,
    min_length: int = 0,
    constraints: Constraints | None = None,
    seed: int = 1,
    numbers: Sequence[int] | None = None,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    """Some sequences for each sentence, drawn independently; the same one may come twice.

    What is drawn for a sentence depends on the seed and its number, not on what is beside it.

    Args:
        model: whose ``start`` knows the sentences.
        batch: B, how many there are.
        sampling: how to draw; by default from the model's own distribution.
        start_id: the symbol before the first.
        eos_id: the symbol that ends a sequence.
        number: of sequences for each sentence.
        max_length: most symbols, the end not counted; at it, the end is taken.
        min_length: fewest.
        constraints: what must and must not come, but for phrases that must.
        seed: of the random numbers.
        numbers: of the sentences, >= 0; from 0 on when None.
        attention: whether the answers hold the attention.

    Raises:
        ConfigError: the constraints contradict each other or do not fit the model.
    """
    sampling, constraints = sampling or Sampling(), constraints or Constraints()
    options = Beam(1, max_length=max_length, min_length=min_length)
    constraints.check(batch, options, eos_id)
    if any(map(len, constraints.must)):
        raise ConfigError("sample: expected no phrases that must come. Ask a beam for them.")
    if batch == 0 or number == 0:
        return [[] for _ in range(batch)]
    rows = torch.arange(batch, device=device_of(model)).repeat_interleave(number)
    numbers = range(batch) if numbers is None else numbers
    chance = _chance(seed, numbers, number, constraints.longest(options) + 1)
    draw = _Draw(sampling, options, constraints, rows, chance.to(rows.device), eos_id)
    state = model.select(model.start(batch), rows)
    start = torch.full_like(rows, start_id)
    longest = chance.shape[1] - 1
    rolled = roll(model, state, start, draw, eos_id=eos_id, longest=longest, attention=attention)
    found = rolled.hypotheses()
    return [
        [hypothesis for hypothesis in found[n : n + number] if hypothesis.log_p > -torch.inf]
        for n in range(0, len(found), number)
    ]


class _Draw:
    """Picks the next symbols by chance (N, steps), one number a symbol."""

    def __init__(
        self,
        sampling: Sampling,
        options: Beam,
        constraints: Constraints,
        rows: Tensor,
        chance: Tensor,
        eos_id: int,
    ) -> None:
        self.sampling, self.constraints, self.rows = sampling, constraints, rows
        self.chance, self.eos_id = chance, eos_id
        lengths = constraints.lengths(int(rows.max()) + 1, options, rows.device)
        self.rules = constraints.rules(options, *lengths, eos_id)
        self.ids = torch.full(chance.shape, eos_id, device=rows.device)

    def __call__(self, step: int, here: Tensor, log_p: Tensor) -> Tensor:
        if step == 0:
            self.constraints.check_symbols(log_p.shape[1], self.eos_id)
        history = self.ids[here, None, :step]
        past = Past(self.rows[here], torch.zeros_like(here), history, step)
        allowed = ruled(self.rules, log_p[:, None], past)[:, 0]
        p = self.sampling.probabilities(allowed.masked_fill(allowed.isnan(), -torch.inf))
        sums = p.double().cumsum(1)
        passed = self.chance[here, step] * sums[:, -1]
        at = torch.searchsorted(sums, passed[:, None], right=True)[:, 0]
        self.ids[here, step] = torch.where(sums[:, -1] > 0, at, self.eos_id)  # NaN: nothing can
        return self.ids[here, step]


def _chance(seed: int, sentences: Sequence[int], number: int, steps: int) -> Tensor:
    """A number in [0, 1) for every symbol of each sentence: (B * number, steps)."""
    # Step by step, so that more steps add numbers and change none.
    own = [np.random.default_rng([seed, n]).random((steps, number)).T for n in sentences]
    return torch.from_numpy(np.concatenate(own))


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

    Raises:
        ConfigError: the prompt is empty.
        DataError: what is forbidden is all that can follow.
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
        if log_p.isneginf().all():
            raise DataError(
                "generate: expected a token that can follow, got none but forbidden ones such as "
                "<unk>. Allow it with --unknown, or take a smoothed model."
            )
        last = sampling.draw(log_p, generator)
        yield int(last)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The most probable symbols until their sum reaches ``top_p``; the rest 0."""
    ordered, order = probabilities.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter(-1, order, kept)
