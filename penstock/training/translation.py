"""The model that the settings of a translator describe."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock.cells import as_program
from penstock.equations import Program
from penstock.layers.attention import decoder_program
from penstock.models.translator import Translator
from penstock.training.regularised import regularised
from penstock.training.translation_settings import TranslationSettings

__all__ = ["TranslationSettings", "build_model"]


def build_model(
    settings: TranslationSettings,
    source_size: int,
    target_size: int,
    copies: Tensor | None = None,
) -> Translator:
    """The translator that the settings describe, with start weights drawn anew.

    Args:
        source_size, target_size: number of tokens of each side.
        copies: (source_size,), the target's id of each source token, for copying.

    Raises:
        ConfigError: settings that do not go together.
    """
    s, sizes = settings, settings.hidden_sizes
    if s.copying and copies is None:
        copies = torch.zeros(source_size, dtype=torch.long)
    return Translator(
        source_size,
        target_size,
        regularised(as_program(s.cell), s),
        _decoder(s),
        copies=copies if s.copying else None,
        embedding_size=s.embedding or sizes[0],
        hidden_size=sizes if len(set(sizes)) > 1 else sizes[0],
        encoder_layers=s.layers,
        decoder_layers=s.layers,
        shared=s.shared,
        reads_words=s.reads_words,
        reads_summary=s.reads_summary,
        bidirectional=s.bidirectional,
        backwards=s.reverse,
        first_state=s.first_state,
        tying=s.tying,
        readout=s.readout,
        dropout=s.dropout,
        embedding_dropout=s.embedding_dropout,
        context_dropout=s.context_dropout,
        output_dropout=s.output_dropout,
        source_word_dropout=s.source_word_dropout,
        target_word_dropout=s.target_word_dropout,
        smoothing=s.smoothing,
    )


def _decoder(settings: TranslationSettings) -> Program:
    """The decoder's equations, attention included."""
    cell = regularised(as_program(settings.decoder_cell or settings.cell), settings)
    if settings.attention == "none":
        return cell
    return decoder_program(
        cell,
        settings.attention,
        form=settings.form,
        feeding=settings.feeding,
        coverage=settings.coverage,
        layers=settings.layers,
    )
