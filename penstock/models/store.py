"""A model is a folder: ``model.json``, ``weights.safetensors`` and what its kind adds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from penstock import storage
from penstock.errors import DataError, PenstockError
from penstock.files import write_atomic
from penstock.models.language import LanguageModel
from penstock.models.translator import Translator
from penstock.models.window import WindowModel

__all__ = ["load_model", "read_description", "save_weights", "write_description"]

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
FORMAT = 1
KINDS: dict[str, Any] = {kind.kind: kind for kind in (LanguageModel, WindowModel, Translator)}


def write_description(folder: Path, model: Any, extra: Mapping[str, Any]) -> None:
    """Write ``model.json``: the kind, the model's configuration, and what the caller adds.

    Args:
        model: a model, or the class of one that is still to be made.
    """
    config = None if isinstance(model, type) else model.config()
    description = {"format": FORMAT, "kind": model.kind, "model": config, **extra}
    text = json.dumps(description, indent=2, ensure_ascii=False)
    write_atomic(folder / DESCRIPTION, text.encode())


def save_weights(folder: Path, model: nn.Module) -> None:
    """Write ``weights.safetensors``."""
    storage.save(folder / WEIGHTS, model.state_dict(), None)


def read_description(folder: Path) -> dict[str, Any]:
    """What ``model.json`` says.

    Raises:
        DataError: there is none, or it is not one of Penstock's.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        where = "has no model.json" if folder.is_dir() else "does not exist"
        raise DataError(f"{folder}: expected the folder of a model, but it {where}.")
    try:
        description = json.loads(path.read_bytes())
        kind, version = description["kind"], description["format"]
        model = description["model"]
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"{path}: cannot be read as a model's description ({error}).") from error
    except KeyError as error:
        raise DataError(f"{path}: is no model's description, it has no {error}.") from error
    if version != FORMAT or kind not in KINDS:
        raise DataError(
            f"{path}: expected format {FORMAT} and a kind of {', '.join(KINDS)}, "
            f"got format {version!r} and kind {kind!r}. Another version of Penstock wrote it."
        )
    if not isinstance(model, dict | None):
        raise DataError(f"{path}: expected model as an object, got {model!r}.")
    return dict(description)


def load_model(folder: Path) -> Any:
    """The model of a folder, with its weights, in evaluation mode.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    description, weights = read_description(folder), folder / WEIGHTS
    if description["model"] is None or not weights.is_file():
        raise DataError(
            f"{folder}: holds a model whose training has not ended, without {WEIGHTS}. "
            "Run the same train command again to go on."
        )
    try:
        model = KINDS[description["kind"]].from_config(description["model"])
    except (PenstockError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{folder / DESCRIPTION}: describes no model ({_line(error)}).") from error
    tensors, _ = storage.load(weights)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{weights}: does not fit model.json ({_line(error)}).") from error
    return model.eval()


def _line(error: Exception) -> str:
    """The error's message on one line."""
    return " ".join(str(error).split())
