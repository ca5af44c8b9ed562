"""Penstock: recurrent sequence models of language, written as their equations."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.cells import CELLS, Cell
    from penstock.equations import Program, parse
    from penstock.errors import PenstockError
    from penstock.layers.feedback import gated_feedback
    from penstock.layers.recurrent import Recurrent
    from penstock.models.language import LanguageModel
    from penstock.training.language import LanguageSettings
    from penstock.training.run import LanguageRun, Texts, train_language

__all__ = [
    "CELLS",
    "Cell",
    "LanguageModel",
    "LanguageRun",
    "LanguageSettings",
    "PenstockError",
    "Program",
    "Recurrent",
    "Texts",
    "gated_feedback",
    "parse",
    "train_language",
]

_PLACES = {
    "CELLS": "cells",
    "Cell": "cells",
    "LanguageModel": "models.language",
    "LanguageRun": "training.run",
    "LanguageSettings": "training.language",
    "PenstockError": "errors",
    "Program": "equations",
    "Recurrent": "layers.recurrent",
    "Texts": "training.run",
    "gated_feedback": "layers.feedback",
    "parse": "equations",
    "train_language": "training.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``penstock cells`` needs no PyTorch."""
    if name not in _PLACES:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    return getattr(import_module(f"penstock.{_PLACES[name]}"), name)
