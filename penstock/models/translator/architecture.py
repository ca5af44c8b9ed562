"""The switches of an encoder-decoder, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import ConfigError, unknown

__all__ = ["FIRST_STATES", "TYINGS", "Architecture"]

FIRST_STATES = ("zero", "last", "mean", "bridge")
"""How a decoder begins; see :class:`penstock.models.translator.bridge.Bridge`."""
TYINGS = ("none", "source-target", "output", "all")
"""What is one matrix: nothing; both embeddings; the target's embedding and the output (2-way,
Press & Wolf 2017); all three (3-way)."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a translator is made of, besides its cells.

    Lecture 002, section 2.6, counts the extensions I to VI of the simplest model (equations 23 to
    25: ``shared``, without ``reads_words`` and ``reads_summary``, ``first_state="last"``).

    Attributes:
        embedding_size: width of a token's vector, E.
        hidden_size: H, one for all layers or one for each.
        encoder_layers, decoder_layers: layers of each side (extension III). A decoder that
            attends has its layers in its equations, and counts as one.
        shared: whether both sides have one set of recurrent weights (not extension I).
        reads_words: whether the decoder is told the word before (extension II).
        reads_summary: whether it is told ``c = h_T`` at every step (extension II).
        bidirectional: whether the encoder reads in both directions (extension IV).
        backwards: whether it reads from the last word to the first (extension V).
        first_state: the decoder's, one of :data:`FIRST_STATES`.
        tying: one of :data:`TYINGS`.
        readout: whether a layer over state, context and word comes before the softmax.
        dropout: probability of dropping a unit between layers.
        embedding_dropout: of a unit of a word's vector.
        context_dropout: of a unit of an annotation.
        output_dropout: of a unit that the softmax reads.
        source_word_dropout, target_word_dropout: of a whole word.
        smoothing: share of the target's probability that training spreads over the vocabulary
            (Szegedy et al. 2016, section 7).

    Raises:
        ConfigError: switches that do not go together.
    """

    embedding_size: int = 128
    hidden_size: int | Sequence[int] = 256
    encoder_layers: int = 1
    decoder_layers: int = 1
    shared: bool = False
    reads_words: bool = True
    reads_summary: bool = True
    bidirectional: bool = False
    backwards: bool = False
    first_state: str = "bridge"
    tying: str = "none"
    readout: bool = True
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    context_dropout: float = 0.0
    output_dropout: float = 0.0
    source_word_dropout: float = 0.0
    target_word_dropout: float = 0.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("first_state", FIRST_STATES), ("tying", TYINGS)):
            if getattr(self, name) not in known:
                raise unknown("Translator", name, getattr(self, name), known)
        if self.embedding_size < 1:
            raise ConfigError(
                f"Translator: expected embedding_size >= 1, got {self.embedding_size}."
            )
        if self.ties_output and not self.reads_words:
            raise ConfigError(
                f"Translator: expected reads_words with tying={self.tying!r}: without it the "
                "target's words have no vectors to tie."
            )
        if self.shared and (self.reads_summary or self.bidirectional):
            raise ConfigError(
                "Translator: expected shared weights with an encoder of one direction and a "
                "decoder that reads no summary, so that both sides read the same. "
                "Leave out shared, or set bidirectional=False and reads_summary=False."
            )
        if self.shared and self.encoder_layers != self.decoder_layers:
            raise ConfigError(
                f"Translator: expected as many layers on both sides for shared weights, got "
                f"{self.encoder_layers} and {self.decoder_layers}."
            )

    @property
    def shares_embeddings(self) -> bool:
        """Whether both sides have the same word vectors."""
        return self.tying in ("source-target", "all")

    @property
    def ties_output(self) -> bool:
        """Whether the output has the target's word vectors."""
        return self.tying in ("output", "all")
