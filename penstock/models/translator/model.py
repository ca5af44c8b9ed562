"""Translation models: encoder, decoder, softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from penstock.cells.base import as_program
from penstock.equations import parse, render
from penstock.equations.program import Program
from penstock.errors import ConfigError
from penstock.layers.output import Softmax
from penstock.layers.recurrent import Recurrent
from penstock.models.translator.architecture import Architecture
from penstock.models.translator.bridge import Bridge
from penstock.models.translator.copying import Pointer
from penstock.models.translator.decoder import Decoder
from penstock.models.translator.encoder import Encoder
from penstock.models.translator.given import Given
from penstock.models.translator.readout import Readout
from penstock.models.translator.source import Source
from penstock.models.translator.words import Words

__all__ = ["Features", "Translator"]


class Features(NamedTuple):
    """What the losses of a batch are made from.

    Attributes:
        hidden: what the softmax reads, (T, B, width).
        alignment: share of each source word, (T, B, S); None where it is not needed.
        source: ids of the source, (S, B).
    """

    hidden: Tensor
    alignment: Tensor | None
    source: Tensor


class Translator(nn.Module):
    """The probability of a translation, word by word: p(y_t | y_1 ... y_(t-1), source).

    Cho et al. 2014; Sutskever, Vinyals & Le 2014; Bahdanau, Cho & Bengio 2014; lecture 002,
    section 2.6, equations 23 to 27.

    Args:
        source_size, target_size: number of tokens of each side.
        encoder: the encoder's cell: a name, equations or a Program.
        decoder: the decoder's, which attends if its equations read ``memory``
            (:func:`penstock.layers.attention.decoder_program`). None: the encoder's cell.
        copies: (source_size,), the target's id of each source token, for a pointer; None: none.
        switches: those of :class:`~penstock.models.translator.architecture.Architecture`.

    Shapes:
        source (S, B), target (T, B) -> hidden (T, B, width) -> log-probabilities (T, B, V).

    Raises:
        ConfigError: options that do not go together.

    Example:
        >>> model = Translator(10, 12, "gru", embedding_size=4, hidden_size=5).eval()
        >>> given = model.given(torch.tensor([[3, 4], [5, 0]]), torch.tensor([2, 1]))
        >>> log_p, state = given.step(torch.tensor([0, 0]), given.start(2))
        >>> tuple(log_p.shape)
        (2, 12)
    """

    kind = "translator"

    def __init__(
        self,
        source_size: int,
        target_size: int,
        encoder: str | Program = "gru",
        decoder: str | Program | None = None,
        *,
        copies: Tensor | None = None,
        **switches: Any,
    ) -> None:
        super().__init__()
        a = self.architecture = Architecture(**switches)
        self.source_size, self.target_size = source_size, target_size
        words = _words(source_size, a, a.source_word_dropout)
        both = words if a.shares_embeddings else None
        told = _words(target_size, a, a.target_word_dropout, both)
        reader = Recurrent(
            encoder,
            a.embedding_size,
            a.hidden_size,
            a.encoder_layers,
            bidirectional=a.bidirectional,
            dropout=a.dropout,
        )
        self.encoder = Encoder(words, reader, dropout=a.context_dropout, backwards=a.backwards)
        writer = reader if a.shared else _writer(as_program(decoder or encoder), a, reader)
        self.decoder = Decoder(told if a.reads_words else None, writer, a)
        self.bridge = Bridge(a.first_state, reader, writer)
        self.readout = Readout(self.decoder, reader.output_size, a)
        self.output = Softmax(
            self.readout.size,
            target_size,
            tied=told.embedding if a.ties_output else None,
            smoothing=a.smoothing,
        )
        self.pointer = None if copies is None else Pointer(self.readout.size, copies)
        if self.pointer and (not self.decoder.attends or a.smoothing):
            raise ConfigError(
                "Translator: expected a decoder that attends and no label smoothing for a pointer. "
                "Switch on attention and leave out label smoothing, or leave out copying."
            )

    @property
    def attends(self) -> bool:
        """Whether the decoder looks back at the source's words."""
        return self.decoder.attends

    def config(self) -> dict[str, Any]:
        """What :meth:`from_config` needs, as plain data; cells are their equations."""
        programs = {"encoder": self.encoder.recurrent.program}
        programs["decoder"] = self.decoder.recurrent.program
        return {
            "source_size": self.source_size,
            "target_size": self.target_size,
            **{side: [program.name, render.text(program)] for side, program in programs.items()},
            "copies": self.pointer is not None,
            **asdict(self.architecture),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Translator:
        """The model that :meth:`config` describes, with start weights."""
        options = dict(config)
        for side in ("encoder", "decoder"):
            name, equations = options[side]
            options[side] = parse(equations, name)
        copies = torch.zeros(options["source_size"], dtype=torch.long)
        options["copies"] = copies if options["copies"] else None
        return cls(**options)

    def about(self) -> str:
        """Its sizes in a line.

        >>> Translator(10, 12, "gru", embedding_size=4, hidden_size=5).about()
        'gru, 1 layer of 5 units, to gru, 1 layer of 5 units, embedding of 4, 10 to 12 tokens'
        """
        sides = [_about(part.recurrent) for part in (self.encoder, self.decoder)]
        width, sizes = self.architecture.embedding_size, (self.source_size, self.target_size)
        return (
            f"{' to '.join(f'{side},' for side in sides)} embedding of {width}, "
            f"{sizes[0]:,} to {sizes[1]:,} tokens"
        )

    def encode(self, source: Tensor, lengths: Tensor) -> Source:
        """Read sources: (S, B) and (B,)."""
        return self.encoder(source, lengths)

    def forward(
        self,
        source: Tensor,
        source_lengths: Tensor,
        target: Tensor,
        target_lengths: Tensor | None = None,
        *,
        align: bool = False,
    ) -> Features:
        """What the losses of the words after ``target`` are made from.

        Args:
            source: (S, B).
            source_lengths: (B,), each >= 1.
            target: the words before each word, (T, B), beginning with ``<eos>``.
            target_lengths: (B,), tokens of each, all T when None.
            align: whether the alignment is wanted.
        """
        read = self.encode(source, source_lengths)
        align = align or self.pointer is not None
        decoded = self.decoder(read, target, self.bridge(read), target_lengths, align=align)
        return Features(self.readout(decoded), decoded.alignment, source)

    def losses(self, features: Features, targets: Tensor) -> Tensor:
        """Cross entropy of every target in nats, (T, B); 0 where it is -1."""
        flat = self.output.losses(features.hidden.flatten(0, 1), targets.flatten())
        losses = flat.view(targets.shape)
        if self.pointer is None:
            return losses
        assert features.alignment is not None
        return self.pointer.losses(
            losses, features.hidden, features.alignment, features.source, targets
        )

    def loss(self, features: Features, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, labels smoothed: for training."""
        if self.pointer is not None:
            return self.losses(features, targets).sum()
        real = targets >= 0
        return self.output.loss(features.hidden[real], targets[real])

    def given(self, source: Tensor, lengths: Tensor, words: Tensor | None = None) -> Given:
        """The model of the translations of a batch of sources, for search.

        Args:
            source: (S, B).
            lengths: (B,), each >= 1.
            words: (B, V) bool, which each translation may have, at least one; all when None.
        """
        return Given(self, self.encode(source, lengths), words)


def _words(size: int, a: Architecture, word_dropout: float, shared: Words | None = None) -> Words:
    return Words(
        size,
        a.embedding_size,
        dropout=a.embedding_dropout,
        word_dropout=word_dropout,
        shared=shared,
    )


def _writer(program: Program, a: Architecture, reader: Recurrent) -> Recurrent:
    """The decoder's layers."""
    told = a.embedding_size * a.reads_words + reader.output_size * a.reads_summary
    sizes, layers = a.hidden_size, a.decoder_layers
    if program.reads_memory:
        program, layers = program.with_sizes({"M": reader.output_size}), 1
        sizes = reader.hidden_sizes[-1]
    return Recurrent(program, told or a.embedding_size, sizes, layers, dropout=a.dropout)


def _about(layers: Recurrent) -> str:
    sizes = ", ".join(map(str, layers.hidden_sizes))
    number, name = layers.num_layers, layers.program.name
    ways = " in both directions" if layers.directions == 2 else ""
    return f"{name}, {number} layer{'s' * (number > 1)} of {sizes} units{ways}"
