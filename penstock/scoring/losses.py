"""What a text costs under a language model, token by token.

Besides the plain model, two ways of adapting to the text just read: dynamic
evaluation (Mikolov et al. 2010; Krause et al. 2018) goes on training while it
reads; the continuous cache (Grave, Joulin & Usunier 2017) prefers words that
followed similar states.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.layers.state import State, detached
from penstock.metrics.perplexity import Perplexity
from penstock.models.language import LanguageModel
from penstock.models.mode import evaluating
from penstock.progress import Progress, adding, silent
from penstock.text import Corpus, Tokeniser, sentences

__all__ = [
    "Adaption",
    "Cache",
    "Dynamic",
    "cost",
    "perplexity",
    "sentence_losses",
    "token_distributions",
    "token_losses",
]


@dataclass(frozen=True)
class Cache:
    """The continuous cache: p = (1 - weight) p_model + weight p_cache.

    p_cache(w) is proportional to the sum of exp(theta h_t . h_i) over the last ``size``
    positions i whose next word was w (Grave et al. 2017, equations 2 and 3).
    """

    size: int = 500
    theta: float = 0.3
    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.theta < math.inf or not 0 <= self.weight < 1:
            raise ConfigError(
                f"Cache: expected size >= 1, theta >= 0 and weight in [0, 1), got {self}."
            )


@dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation: after every ``steps`` tokens, one step of gradient descent.

    theta <- theta - rate * gradient + decay * (theta_start - theta), the gradient being of
    the mean loss and clipped to ``clip`` (Krause et al. 2018, equation 4 without the scaling).
    """

    rate: float = 0.1
    steps: int = 20
    decay: float = 0.0
    clip: float = 5.0

    def __post_init__(self) -> None:
        finite = 0 <= self.rate < math.inf and 0 < self.clip < math.inf
        if not finite or self.steps < 1 or not 0 <= self.decay < 1:
            raise ConfigError(
                f"Dynamic: expected rate >= 0, steps >= 1, decay in [0, 1) and clip > 0, "
                f"got {self}."
            )


@dataclass(frozen=True)
class Adaption:
    """What a model may do with the text just read.

    Attributes:
        cache: for a network the continuous cache; for n-grams a cache of words of its size and
            weight.
        dynamic: a network goes on training.
        alone: a network reads every line from the first state, as n-grams do.
    """

    cache: Cache | None = None
    dynamic: Dynamic | None = None
    alone: bool = False

    def check(self) -> Adaption:
        """This, if it can be."""
        if self.alone and (self.cache or self.dynamic):
            raise ConfigError("evaluate: cache and dynamic evaluation need running text.")
        return self

    @property
    def context(self) -> str:
        """What a network knows when it predicts."""
        ways = [str(way) for way in (self.cache, self.dynamic) if way]
        return "sentence" if self.alone else ", ".join(["text", *ways])


def token_losses(
    model: Any,
    ids: np.ndarray,
    eos_id: int,
    *,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    alone: bool = False,
    steps: int = 256,
    advance: Callable[[int], object] = lambda tokens: None,
) -> np.ndarray:
    """-log p of every token of a text given all before it, in nats.

    The text is one sequence; its first token is predicted after an ``<eos>``.

    Args:
        model: a language model; left as it was.
        ids: (N,), the text.
        eos_id: id of ``<eos>``.
        cache: mix with a continuous cache.
        dynamic: adapt the weights while reading.
        alone: read every line from the first state.
        steps: tokens read at a time (no effect on the result without ``dynamic``).
        advance: told after every piece how many tokens it had.

    Shapes:
        (N,) -> (N,), float64.
    """
    if dynamic is not None:
        model, steps = copy.deepcopy(model), dynamic.steps
    reader = _Reader(model, cache, dynamic)
    losses, done = np.empty(len(ids)), 0
    with evaluating(model):
        for inputs, targets, reset in _pieces(ids, eos_id, alone=alone, steps=steps):
            found = reader.read(inputs, targets, **reset)
            losses[done : done + len(targets)] = found.double().numpy()
            done += len(targets)
            advance(len(targets))
    return losses


def token_distributions(
    model: Any, ids: np.ndarray, eos_id: int, *, alone: bool = False, steps: int = 256
) -> Iterator[np.ndarray]:
    """log p of every token of the vocabulary at every place of a text, in pieces (N, V).

    Args:
        model, ids, eos_id, alone: see :func:`token_losses`.
        steps: places in a piece, N; the last has what is left.
    """
    state = None
    with evaluating(model):
        for inputs, _, reset in _pieces(ids, eos_id, alone=alone, steps=steps):
            with torch.no_grad():
                hidden, state = model(inputs[:, None], state, **reset)
                log_p = model.output.log_p(hidden[:, 0]).numpy()
            yield log_p


def _pieces(
    ids: np.ndarray, eos_id: int, *, alone: bool, steps: int
) -> Iterator[tuple[Tensor, Tensor, dict[str, Tensor]]]:
    """Inputs, targets and where the state starts anew; the first token follows an ``<eos>``."""
    last = eos_id
    for start in range(0, len(ids), steps):
        targets = torch.from_numpy(ids[start : start + steps].astype(np.int64))
        inputs = torch.cat([torch.tensor([last]), targets[:-1]])
        yield inputs, targets, {"reset": (inputs == eos_id)[:, None]} if alone else {}
        last = int(targets[-1])


@torch.no_grad()
def sentence_losses(
    model: Any,
    inputs: Tensor,
    targets: Tensor,
    lengths: Tensor,
) -> Tensor:
    """-log p of every token of a batch of sentences, each read from the first state.

    Shapes:
        inputs, targets (T, B), lengths (B,) -> (T, B), zero at padding.
    """
    with evaluating(model):
        hidden, _ = model(inputs, lengths=lengths)
        return model.losses(hidden, targets)


def perplexity(
    model: LanguageModel,
    tokeniser: Tokeniser,
    corpus: Corpus,
    *,
    alone: bool = False,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    progress: Progress = silent,
) -> Perplexity:
    """What a text costs under a model.

    Args:
        alone: read every line from the first state, instead of the text as one sequence.
        cache, dynamic: see :func:`token_losses`.
        progress: told the tokens read and the tokens there are.
    """
    adaption = Adaption(cache, dynamic, alone).check()
    advance = adding(progress, len(corpus))
    if alone:
        nats = _nats_of_lines(model, tokeniser, corpus.ids, advance)
    else:
        losses = token_losses(
            model, corpus.ids, tokeniser.eos_id, cache=cache, dynamic=dynamic, advance=advance
        )
        nats = float(losses.sum())
    return cost(corpus, nats, adaption.context)


def cost(corpus: Corpus, nats: float, context: str) -> Perplexity:
    """What a text costs, from the sum of its losses and what the model knew."""
    return Perplexity(
        nats=nats,
        tokens=corpus.statistics.tokens,
        characters=corpus.statistics.characters,
        unknown=corpus.unknown,
        context=context,
    )


def _nats_of_lines(
    model: LanguageModel, tokeniser: Tokeniser, ids: np.ndarray, advance: Callable[[int], object]
) -> float:
    nats = 0.0
    for inputs, targets, lengths in sentences(ids, tokeniser.eos_id, 64, seed=0, epoch=0):
        nats += float(sentence_losses(model, inputs, targets, lengths).double().sum())
        advance(int(lengths.sum()))
    return nats


class _Reader:
    """Reads a text piece by piece and says what each token cost."""

    def __init__(self, model: Any, cache: Cache | None, dynamic: Dynamic | None) -> None:
        self.model, self.cache, self.dynamic = model, cache, dynamic
        self.state: State | None = None
        self.start = [p.detach().clone() for p in model.parameters()] if dynamic else []
        self.keys: Tensor | None = None
        self.words = torch.empty(0, dtype=torch.long)

    def read(self, inputs: Tensor, targets: Tensor, **options: Any) -> Tensor:
        """Losses of one piece, (N,); options are the model's."""
        with torch.set_grad_enabled(self.dynamic is not None):
            hidden, state = self.model(inputs[:, None], self.state, **options)
            losses = self.model.losses(hidden, targets[:, None])[:, 0]
            self.state = detached(state)
            if self.dynamic:
                self._adapt(losses.mean(), self.dynamic)
        losses = losses.detach()
        return self._cached(hidden[:, 0].detach(), targets, losses) if self.cache else losses

    def _adapt(self, loss: Tensor, dynamic: Dynamic) -> None:
        parameters = list(self.model.parameters())
        self.model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, dynamic.clip)
        with torch.no_grad():
            for parameter, start in zip(parameters, self.start, strict=True):
                if parameter.grad is not None:
                    parameter.sub_(dynamic.rate * parameter.grad)
                    parameter.add_(dynamic.decay * (start - parameter))

    def _cached(self, hidden: Tensor, targets: Tensor, losses: Tensor) -> Tensor:
        """Losses under the mixture; position t sees the ``size`` states before it."""
        cache, before = self.cache, len(self.words)
        assert cache is not None
        keys = hidden if self.keys is None else torch.cat([self.keys, hidden])
        words = torch.cat([self.words, targets])
        scores = cache.theta * hidden @ keys.T
        at = before + torch.arange(len(hidden))[:, None]
        place = torch.arange(len(keys))[None, :]
        outside = (place >= at) | (place < at - cache.size)
        shares = torch.softmax(scores.masked_fill(outside, -torch.inf), -1).nan_to_num(0.0)
        p_cache = (shares * (words[None, :] == targets[:, None])).sum(-1)
        self.keys, self.words = keys[-cache.size :], words[-cache.size :]
        empty = outside.all(-1)
        tiny = torch.finfo(p_cache.dtype).tiny
        cached = (cache.weight * p_cache).clamp(min=tiny).log()
        mixed = torch.logaddexp(math.log1p(-cache.weight) - losses, cached)
        return torch.where(empty, losses, -mixed)
