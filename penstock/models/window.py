"""The window network: the next word from the last n, without a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penstock.equations import parse
from penstock.equations.program import Program
from penstock.errors import ConfigError
from penstock.layers.dropout import dropout
from penstock.layers.state import State, state_type
from penstock.models.language import LanguageModel

__all__ = ["WINDOW", "WindowModel"]

WINDOW = parse("h = tanh(W @ x + b)    # hidden layer", "window")
"""The hidden layer of Bengio et al. 2003; x is the word vectors side by side."""
NONE = -1
"""Stands for a word before the first."""


class WindowModel(LanguageModel):
    """The next token from the last n (Bengio et al. 2003; lecture 002, equation 4).

        x = [e(w[t-n+1]); ...; e(w[t])],   y = softmax(W2 tanh(W1 x + b1) + W3 x + b3)

    The state is the last n - 1 tokens; before the first, word vectors are zero.

    Args:
        vocab_size: number of tokens, V.
        cell: equations of the hidden layers, without a state.
        context: n, how many tokens are read, >= 1.
        direct: whether the output reads x too (the product with W3).
        options: those of :class:`LanguageModel`.

    Shapes:
        ids (T, B) -> hidden (T, B, output size) -> log-probabilities (T, B, V).

    Raises:
        ConfigError: the equations have a state, or a size is impossible.

    Example:
        >>> model = WindowModel(10, context=3, direct=True, embedding_size=4, hidden_size=5)
        >>> log_p, state = model.step(torch.tensor([3]), model.start(1))
        >>> tuple(log_p.shape), state.words.tolist()
        ((1, 10), [[-1], [3]])
    """

    kind = "window"

    def __init__(
        self,
        vocab_size: int,
        cell: str | Program = WINDOW,
        *,
        context: int = 5,
        direct: bool = False,
        **options: Any,
    ) -> None:
        if context < 1:
            raise ConfigError(f"WindowModel: expected context >= 1, got context={context}.")
        self.context, self.direct = context, direct  # the base class asks for the widths
        program = parse(cell, "window") if isinstance(cell, str) else cell
        if program.states:
            raise ConfigError(
                f"WindowModel: expected equations without a state, got {program.name!r}, which "
                f"reads {', '.join(program.states)} of earlier steps. Leave out the context."
            )
        super().__init__(vocab_size, program, **options)

    def config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs, as plain data."""
        config = super().config() | {"context": self.context, "direct": self.direct}
        del config["learn_state"]
        return config

    def about(self) -> str:
        """Its sizes in a line."""
        return f"{self.context} words read, {super().about()}"

    def forward(
        self,
        ids: Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        reset: Tensor | None = None,
        trace: bool = False,
    ) -> Any:
        """See :meth:`LanguageModel.forward`; no word is seen across a reset."""
        steps, batch = ids.shape
        before = self.start(batch) if state is None else state
        words = torch.cat([before.words, ids])
        part = None if reset is None else _parts(reset, len(before.words))
        hidden, *values = self.read(self._windows(words, steps, part), trace=trace)
        return hidden, type(before)(_last(words, len(before.words), lengths, part)), *values

    def read(self, xs: Tensor, *, trace: bool = False) -> Any:
        """What the output layer reads, (T, B, output size), for windows xs (T, B, n E)."""
        xs = dropout(xs, self.dropout, self.training)
        # Each window is a sequence of one step: nothing is carried, so all are computed at once.
        hidden, _, *values = self.recurrent(xs.flatten(0, 1)[None], trace=trace)
        hidden = self.read_by_output(hidden.view(*xs.shape[:-1], -1))
        hidden = torch.cat([hidden, xs], -1) if self.direct else hidden
        return hidden, *([_unfolded(layer, xs) for layer in layers] for layers in values)

    def start(self, batch: int) -> State:
        """The state before any token."""
        device = self.embedding.weight.device
        words = torch.full((self.context - 1, batch), NONE, device=device)
        return state_type(("words",))(words)

    def _input_size(self, embedding_size: int) -> int:
        return self.context * embedding_size

    def _output_size(self) -> int:
        return self.recurrent.output_size + self.direct * self.recurrent.input_size

    def _stepped(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """See :class:`LanguageModel`; the state is the window's words."""
        hidden, state = self(ids[None], state)
        return hidden[0], state

    def _windows(self, words: Tensor, steps: int, part: Tensor | None) -> Tensor:
        """The vectors of the words up to each step side by side, (T, B, n E)."""
        vectors = self.vectors(words.clamp(min=0))
        vectors = vectors.masked_fill((words == NONE)[..., None], 0.0)
        columns = [vectors[first : first + steps] for first in range(self.context)]
        if part is not None:
            seen = [part[first : first + steps] == part[-steps:] for first in range(self.context)]
            columns = [c * s[..., None] for c, s in zip(columns, seen, strict=True)]
        return torch.cat(columns, -1)


def _parts(reset: Tensor, before: int) -> Tensor:
    """Which stretch between resets each word belongs to: (before + T, B)."""
    first = torch.zeros(before, reset.shape[1], dtype=torch.long, device=reset.device)
    return torch.cat([first, reset.long().cumsum(0)])


def _last(words: Tensor, number: int, lengths: Tensor | None, part: Tensor | None) -> Tensor:
    """The last words of each sequence, (number, B), without those before a reset."""
    if number == 0:
        return words[:0]
    steps = len(words) - number
    ends = torch.full_like(words[0], steps) if lengths is None else lengths.to(words.device)
    at = ends + torch.arange(number, device=words.device)[:, None]
    last = words.gather(0, at)
    if part is not None:
        stretch = part.gather(0, at)
        last = last.masked_fill(stretch != stretch[-1], NONE)
    return last


def _unfolded(values: Mapping[str, Tensor], xs: Tensor) -> dict[str, Tensor]:
    """Values of windows as values of steps: (1, T B, size) -> (T, B, size)."""
    return {name: value.view(*xs.shape[:-1], *value.shape[2:]) for name, value in values.items()}
