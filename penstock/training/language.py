"""The model and the task that the settings of a language model describe."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from penstock.cells import as_program
from penstock.equations import parse
from penstock.equations.program import Program
from penstock.errors import ConfigError
from penstock.layers.feedback import feedback_equations
from penstock.models.language import LanguageModel
from penstock.models.window import WINDOW, WindowModel
from penstock.text import Corpus, Tokeniser
from penstock.training.language_settings import CONTEXT, LanguageSettings
from penstock.training.regularised import regularised
from penstock.training.text_tasks import SentenceTask, StreamTask, TextTask

__all__ = ["LanguageSettings", "build_model", "build_task", "model_type", "token_counts"]

_OF_STATES = ("learn_state", "variational_state", "recurrent_dropout", "zoneout", "weight_drop")
_CHUNK = 1 << 24
SPARSE = ("sgd", "adagrad")
"""Optimisers that leave a weight without a gradient as it is."""
FEEDBACK = {"elman": "tanh", "gru": "gru", "lstm": "lstm"}
"""Cells whose layers may hear each other, and the units that are put in their place."""


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
    _check_sparse(settings)
    kind, sizes = model_type(settings), settings.hidden_sizes
    own: dict[str, Any] = {"learn_state": settings.learn_state}
    layers, program = settings.layers, _program(settings)
    if kind is WindowModel:
        own = {"context": settings.context or CONTEXT, "direct": settings.direct}
    if settings.feedback:  # one layer whose equations are those of all
        layers, sizes = 1, sizes[:1]
    model = kind(
        vocab_size,
        regularised(program, settings),
        embedding_size=settings.embedding or sizes[0],
        hidden_size=sizes,
        num_layers=layers,
        dropout=settings.dropout,
        embedding_dropout=settings.embedding_dropout,
        output_dropout=settings.output_dropout,
        activation_penalty=settings.activation_penalty,
        slowness_penalty=settings.slowness_penalty,
        tied=settings.tied,
        projection=settings.projection,
        output=settings.output,
        classes=settings.classes,
        samples=settings.samples,
        sparse=settings.sparse,
        counts=counts,
        **own,
    )
    if settings.init_range:
        model.reset_uniform(settings.init_range)
    return model


def _program(settings: LanguageSettings) -> Program:
    """The equations of the cell, or of all layers with feedback.

    Raises:
        ConfigError: there is no such cell, or no feedback between such layers.
    """
    if not settings.feedback:
        return WINDOW if settings.cell == WINDOW.name else as_program(settings.cell)
    sizes = set(settings.hidden_sizes)
    if settings.cell not in FEEDBACK or settings.is_window or len(sizes) > 1:
        raise ConfigError(
            f"LanguageSettings: expected cell {', '.join(FEEDBACK)} and one hidden size with "
            f"feedback, got cell={settings.cell!r}, hidden={settings.hidden!r}. Leave out feedback."
        )
    unit = FEEDBACK[settings.cell]
    return parse(feedback_equations(unit, settings.layers), f"gated-feedback-{unit}")


def _check_sparse(settings: LanguageSettings) -> None:
    dense = [name for name in ("weight_decay", "ema") if getattr(settings, name)]
    if settings.sparse and (settings.optimiser not in SPARSE or dense):
        raise ConfigError(
            f"LanguageSettings: expected optimiser {' or '.join(SPARSE)} without weight_decay and "
            f"ema with sparse, got {' and '.join([settings.optimiser, *dense])}: others move every "
            "weight in every update, whether it has a gradient or not. Leave out sparse."
        )


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
