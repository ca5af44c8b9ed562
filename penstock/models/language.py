"""Recurrent language models: embedding, layers of a cell, softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from penstock.equations import parse, render
from penstock.equations.program import Program
from penstock.errors import ConfigError
from penstock.layers.dropout import dropout, sequence_dropout, symbol_vectors
from penstock.layers.output import Softmax, output_layer
from penstock.layers.recurrent import Recurrent
from penstock.layers.state import State, select

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
        embedding_dropout: probability of dropping a token wherever it is read
            (Gal & Ghahramani 2016).
        output_dropout: probability of dropping a unit that the output reads, one mask per
            sequence.
        activation_penalty: alpha, and
        slowness_penalty: beta, of what training adds to the loss of a token:
            alpha mean(h[t]²) + beta mean((h[t] - h[t-1])²), over the units that the
            output reads, as dropped (Merity, McCann & Socher 2017).
        tied: whether output and embedding share one matrix.
        projection: width of a linear layer before the softmax, none when 0.
        learn_state: whether the state before the first token is learnt.
        sizes: extra sizes of the cell.
        output: an output layer by name (:data:`penstock.layers.output.OUTPUTS`).
        classes: of the output ``class``, the square root of V when 0.
        samples: symbols drawn for an update by the outputs ``sampled`` and ``nce``.
        sparse: whether gradients hold only the vectors of tokens that were read or drawn.
        counts: (V,), occurrences of each token in the training text, for all outputs but ``full``.

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
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
        activation_penalty: float = 0.0,
        slowness_penalty: float = 0.0,
        tied: bool = False,
        projection: int = 0,
        learn_state: bool = False,
        sizes: Mapping[str, float] | None = None,
        output: str = "full",
        classes: int = 0,
        samples: int = 1024,
        sparse: bool = False,
        counts: Tensor | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("vocab_size", vocab_size), ("embedding_size", embedding_size)):
            if value < 1:
                owner = type(self).__name__
                raise ConfigError(f"{owner}: expected {name} >= 1, got {name}={value}.")
        self.embedding = nn.Embedding(vocab_size, embedding_size, sparse=sparse)
        self.recurrent = Recurrent(
            cell,
            self._input_size(embedding_size),
            hidden_size,
            num_layers,
            dropout=dropout,
            learn_state=learn_state,
            sizes=sizes,
        )
        self.output = output_layer(
            output,
            self._output_size(),
            vocab_size,
            projection=projection,
            tied=self.embedding if tied else None,
            counts=counts,
            classes=classes,
            samples=samples,
            sparse=sparse,
        )
        self.vocab_size, self.dropout, self.tied = vocab_size, dropout, tied
        self._output = {"output": output, "classes": classes, "samples": samples}
        self.projection, self.learn_state = projection, learn_state
        self.embedding_dropout, self.output_dropout = embedding_dropout, output_dropout
        self.activation_penalty, self.slowness_penalty = activation_penalty, slowness_penalty

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
            "embedding_dropout": self.embedding_dropout,
            "output_dropout": self.output_dropout,
            "activation_penalty": self.activation_penalty,
            "slowness_penalty": self.slowness_penalty,
            "tied": self.tied,
            "projection": self.projection,
            "learn_state": self.learn_state,
            **self._output,
        }

    def about(self) -> str:
        """Its sizes in a line.

        >>> LanguageModel(10, "gru", embedding_size=4, hidden_size=[5, 6], num_layers=2).about()
        '2 layers of 5, 6 units, embedding of 4, 10 tokens'
        """
        layers, output = self.recurrent.num_layers, self._output["output"]
        sizes = ", ".join(map(str, self.recurrent.hidden_sizes))
        return (
            f"{layers} layer{'s' * (layers > 1)} of {sizes} units, embedding of "
            f"{self.embedding.embedding_dim}, {self.vocab_size:,} tokens"
        ) + ("" if output == "full" else f", {output} softmax")

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

    def quantise(self, precision: str) -> Self:
        """Hold matrices in fewer bits: those of the layers and of a softmax over all tokens.

        Embedding and other outputs stay in float32.  See :meth:`Recurrent.quantise`.
        """
        self.recurrent.quantise(precision)
        if isinstance(self.output, Softmax):
            self.output.quantise(precision)
        return self

    def forward(
        self,
        ids: Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        reset: Tensor | None = None,
        trace: bool = False,
    ) -> Any:
        """What the output layer reads and the state, as :class:`Recurrent` gives them.

        Args:
            ids: (T, B).
            state: that of the call before, the first when None.
            lengths: (B,), tokens of each sequence, all T when None.
            reset: (T, B) bool, before which tokens the state starts anew.
            trace: whether the layers' values are given too.
        """
        xs = dropout(self.vectors(ids), self.dropout, self.training)
        hidden, *rest = self.recurrent(xs, state, lengths=lengths, reset=reset, trace=trace)
        return self.read_by_output(hidden), *rest

    def vectors(self, ids: Tensor) -> Tensor:
        """The vectors of tokens, in training without the dropped ones: (...) -> (..., E)."""
        return symbol_vectors(self.embedding, ids, self.embedding_dropout, self.training)

    def read_by_output(self, hidden: Tensor) -> Tensor:
        """The last layer as the output reads it, in training without the dropped units."""
        hidden = dropout(hidden, self.dropout, self.training)
        return sequence_dropout(hidden, self.output_dropout, self.training)

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of every target in nats, same shape as ``targets``; 0 where it is -1."""
        flat = self.output.losses(hidden.flatten(0, -2), targets.flatten())
        return flat.view(targets.shape)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, or the output layer's estimate of it, and the penalties.

        Shapes:
            hidden (T, B, output size), targets (T, B) -> ()
        """
        loss = self.output.loss(hidden.flatten(0, -2), targets.flatten())
        if self.activation_penalty:
            loss = loss + self.activation_penalty * _squares(hidden, targets >= 0)
        if self.slowness_penalty:
            real = (targets[1:] >= 0) & (targets[:-1] >= 0)
            loss = loss + self.slowness_penalty * _squares(hidden[1:] - hidden[:-1], real)
        return loss

    def start(self, batch: int) -> State:
        """The state before any token."""
        device = self.embedding.weight.device
        _, state = self(torch.zeros(0, batch, dtype=torch.long, device=device))
        return state

    def step(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """One token on: ids (B,) -> log-probabilities of the next (B, V) and the state."""
        hidden, state = self._stepped(ids, state)
        return self.output.log_p(hidden), state

    def best(self, ids: Tensor, state: State, number: int) -> tuple[Tensor, Tensor, State]:
        """One token on: the best next ones, log-probabilities (B, n) and ids (B, n)."""
        hidden, state = self._stepped(ids, state)
        return *self.output.best(hidden, number), state

    def select(self, state: State, rows: Tensor) -> State:
        """The state of other rows: rows (N,) index those of a batch, in any order and number."""
        return select(state, rows)

    def _stepped(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """What the output reads after one token, (B, output size), and the state."""
        xs = dropout(self.vectors(ids), self.dropout, self.training)
        hidden, state = self.recurrent.step(xs, state)
        return self.read_by_output(hidden[None])[0], state

    def _input_size(self, embedding_size: int) -> int:
        """Width of what the layers read."""
        return embedding_size

    def _output_size(self) -> int:
        """Width of what the output reads."""
        return self.recurrent.output_size


def _squares(values: Tensor, real: Tensor) -> Tensor:
    """The mean square over units, summed over the real steps: (T, B, H), (T, B) -> ()."""
    return (values.square().mean(-1) * real).sum()
