"""The model and the task that the settings of a language model describe."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from penstock.cells import as_program
from penstock.equations import Program, transform
from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.models.window import WINDOW, WindowModel
from penstock.text import Corpus, Tokeniser
from penstock.training.language_settings import CONTEXT, LanguageSettings
from penstock.training.text_tasks import SentenceTask, StreamTask, TextTask

__all__ = ["LanguageSettings", "build_model", "build_task", "model_type", "token_counts"]

_OF_STATES = ("learn_state", "variational_state", "recurrent_dropout", "zoneout", "weight_drop")
_CHUNK = 1 << 24


def regularised(program: Program, settings: LanguageSettings) -> Program:
    """The cell with the regularisers that the settings ask for."""
    if settings.layer_norm:
        program = transform.layer_normalised(program)
    if settings.weight_drop:
        program = transform.weight_drop(program, settings.weight_drop)
    if settings.recurrent_dropout:
        program = transform.recurrent_dropout(program, settings.recurrent_dropout)
    if settings.variational_input or settings.variational_state:
        program = transform.variational_dropout(
            program, inputs=settings.variational_input, states=settings.variational_state
        )
    if settings.zoneout:
        program = transform.zoneout(program, dict.fromkeys(program.states, settings.zoneout))
    return program


def model_type(settings: LanguageSettings) -> type[LanguageModel]:
    """The kind of model that the settings describe.

    Raises:
        ConfigError: they ask for what that kind does not have.
    """
    if not settings.is_window:
        if settings.direct:
            raise ConfigError(
                f"LanguageSettings: expected direct with a window network, got cell="
                f"{settings.cell!r}. Give cell=window, or leave out direct."
            )
        return LanguageModel
    if wrong := [name for name in _OF_STATES if getattr(settings, name)]:
        raise ConfigError(
            f"LanguageSettings: expected a cell with a state for {', '.join(wrong)}, got a window "
            f"network. Leave out {', '.join(wrong)}, or cell=window and context."
        )
    return WindowModel


def build_model(
    settings: LanguageSettings, vocab_size: int, counts: Tensor | None = None
) -> LanguageModel:
    """The model that the settings describe, with start weights drawn anew.

    Args:
        counts: (V,), occurrences of each token in the training text.
    """
    kind, sizes = model_type(settings), settings.hidden_sizes
    own: dict[str, Any] = {"learn_state": settings.learn_state}
    if kind is WindowModel:
        own = {"context": settings.context or CONTEXT, "direct": settings.direct}
    program = WINDOW if settings.cell == WINDOW.name else as_program(settings.cell)
    model = kind(
        vocab_size,
        regularised(program, settings),
        embedding_size=settings.embedding or sizes[0],
        hidden_size=sizes,
        num_layers=settings.layers,
        dropout=settings.dropout,
        tied=settings.tied,
        projection=settings.projection,
        output=settings.output,
        classes=settings.classes,
        samples=settings.samples,
        counts=counts,
        **own,
    )
    if settings.init_range:
        model.reset_uniform(settings.init_range)
    return model


def token_counts(ids: np.ndarray, vocab_size: int) -> np.ndarray:
    """How often each token occurs in a text, which may be a memory map of any size.

    >>> token_counts(np.array([2, 0, 2]), 4).tolist()
    [1, 0, 2, 0]
    """
    counts = np.zeros(vocab_size, np.int64)
    for start in range(0, len(ids), _CHUNK):
        counts += np.bincount(ids[start : start + _CHUNK], minlength=vocab_size)
    return counts


def build_task(
    model: LanguageModel,
    settings: LanguageSettings,
    tokeniser: Tokeniser,
    train: Corpus,
    valid: Corpus,
) -> TextTask:
    """Streams of running text, or sentences that stand alone."""
    kind = SentenceTask if settings.sentences else StreamTask
    return kind(model, settings, tokeniser.eos_id, train.ids, valid.ids)
