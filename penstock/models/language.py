"""Recurrent language models: embedding, layers of a cell, softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.equations import parse, render
from penstock.equations.program import Program
from penstock.errors import ConfigError
from penstock.layers.output import Softmax
from penstock.layers.recurrent import Recurrent
from penstock.layers.state import State

__all__ = ["LanguageModel"]


class LanguageModel(nn.Module):
    """The probability of the next token given all before it (lecture 002, equations 5-6).

    Args:
        vocab_size: number of tokens, V.
        cell: a cell's name, equations or Program.
        embedding_size: width of a token's vector, E.
        hidden_size: H, one for all layers or one for each.
        num_layers: L.
        dropout: probability of dropping a unit of the embedding, between layers, and of
            the last layer (Zaremba, Sutskever & Vinyals 2014).
        tied: whether output and embedding share one matrix.
        projection: width of a linear layer before the softmax, none when 0.
        learn_state: whether the state before the first token is learnt.
        sizes: extra sizes of the cell.

    Shapes:
        ids (T, B) -> hidden (T, B, output size) -> log-probabilities (T, B, V).

    Example:
        >>> model = LanguageModel(10, "gru", embedding_size=4, hidden_size=5)
        >>> log_p, state = model.step(torch.tensor([3]), model.start(1))
        >>> tuple(log_p.shape), bool(torch.isclose(log_p.exp().sum(), torch.tensor(1.0)))
        ((1, 10), True)
    """

    kind = "language"

    def __init__(
        self,
        vocab_size: int,
        cell: str | Program = "lstm",
        *,
        embedding_size: int = 200,
        hidden_size: int | Sequence[int] = 200,
        num_layers: int = 1,
        dropout: float = 0.0,
        tied: bool = False,
        projection: int = 0,
        learn_state: bool = False,
        sizes: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("vocab_size", vocab_size), ("embedding_size", embedding_size)):
            if value < 1:
                raise ConfigError(f"LanguageModel: expected {name} >= 1, got {name}={value}.")
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.recurrent = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers,
            dropout=dropout,
            learn_state=learn_state,
            sizes=sizes,
        )
        self.output = Softmax(
            self.recurrent.output_size,
            vocab_size,
            projection=projection,
            tied=(lambda: self.embedding.weight) if tied else None,
        )
        self.vocab_size, self.dropout, self.tied = vocab_size, dropout, tied
        self.projection, self.learn_state = projection, learn_state

    @property
    def program(self) -> Program:
        """The cell, regularisers included."""
        return self.recurrent.program

    def config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs, as plain data; the cell is its equations."""
        return {
            "vocab_size": self.vocab_size,
            "cell": self.program.name,
            "equations": render.text(self.program),
            "embedding_size": self.embedding.embedding_dim,
            "hidden_size": self.recurrent.hidden_sizes,
            "num_layers": self.recurrent.num_layers,
            "dropout": self.dropout,
            "tied": self.tied,
            "projection": self.projection,
            "learn_state": self.learn_state,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LanguageModel:
        """The model that :meth:`config` describes, with start weights."""
        options = dict(config)
        program = parse(options.pop("equations"), options.pop("cell"))
        return cls(options.pop("vocab_size"), program, **options)

    @torch.no_grad()
    def reset_uniform(self, bound: float) -> None:
        """Draw every weight from [-bound, bound], but for the cell's own start values."""
        for name, parameter in self.named_parameters():
            if not name.startswith("recurrent."):
                parameter.uniform_(-bound, bound)
        own = {weight.name for weight in self.program.weights if weight.initial is not None}
        for layer in range(self.recurrent.num_layers):
            for name, view in self.recurrent.weights(layer).items():
                if name not in own:
                    view.uniform_(-bound, bound)

    def forward(self, ids: Tensor, state: State | None = None, **options: Any) -> Any:
        """The last layer's outputs and the state, as :class:`Recurrent` gives them."""
        xs = F.dropout(self.embedding(ids), self.dropout, self.training)
        hidden, *rest = self.recurrent(xs, state, **options)
        return F.dropout(hidden, self.dropout, self.training), *rest

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of every target in nats, same shape as ``targets``; 0 where it is -1."""
        flat = self.output.losses(hidden.flatten(0, -2), targets.flatten())
        return flat.view(targets.shape)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, a scalar, in less memory: for training."""
        return self.output.loss(hidden.flatten(0, -2), targets.flatten())

    def start(self, batch: int) -> State:
        """The state before any token."""
        device = self.embedding.weight.device
        _, state = self(torch.zeros(0, batch, dtype=torch.long, device=device))
        return state

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """One token on: ids (B,) -> log-probabilities of the next (B, V) and the state."""
        hidden, state = self(ids[None], state)
        return torch.log_softmax(self.output(hidden[0]), -1), state
