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

__all__ = ["load_model", "read_description", "save_weights", "write_description"]

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
FORMAT = 1
KINDS: dict[str, Any] = {LanguageModel.kind: LanguageModel}


def write_description(folder: Path, model: Any, extra: Mapping[str, Any]) -> None:
    """Write ``model.json``: the kind, the model's configuration, and what the caller adds."""
    description = {"format": FORMAT, "kind": model.kind, "model": model.config(), **extra}
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
        description["model"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path}: cannot be read as a model's description ({error}).") from error
    if version != FORMAT or kind not in KINDS:
        raise DataError(
            f"{path}: expected format {FORMAT} and a kind of {', '.join(KINDS)}, "
            f"got format {version!r} and kind {kind!r}. Another version of Penstock wrote it."
        )
    return dict(description)


def load_model(folder: Path) -> Any:
    """The model of a folder, with its weights, in evaluation mode.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    description = read_description(folder)
    try:
        model = KINDS[description["kind"]].from_config(description["model"])
    except (PenstockError, KeyError, TypeError) as error:
        raise DataError(f"{folder / DESCRIPTION}: describes no model ({error}).") from error
    tensors, _ = storage.load(folder / WEIGHTS)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{folder / WEIGHTS}: does not fit model.json ({reason}).") from error
    return model.eval()
