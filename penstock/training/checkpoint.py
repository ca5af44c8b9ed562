"""Checkpoints: the newest and the one before, and the weights of a model in a file of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from penstock import storage
from penstock.errors import DataError

__all__ = [
    "BEST",
    "NEWEST",
    "load_latest",
    "load_tensors",
    "model_tensors",
    "save_checkpoint",
    "save_tensors",
    "set_model_tensors",
]

NEWEST = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"
DAMAGED = "checkpoint.damaged.safetensors"
BEST = "best.safetensors"


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a training state (nested dicts and lists of tensors and numbers) as the newest.

    Raises:
        PenstockError: when it cannot be written; the last good checkpoint stays where it is.
    """
    newest = folder / NEWEST
    safe = f"The last good checkpoint stays in {folder}. " if newest.exists() else ""
    tensors: dict[str, Tensor] = {}
    data = storage.flatten(state, tensors)
    storage.save(newest, tensors, data, keep=folder / PREVIOUS, safe=safe)


def load_latest(folder: Path, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest training state that can be read, or None when there is no checkpoint yet.

    A damaged newest checkpoint is set aside, so that it never takes the place of the good one.

    Args:
        warn: called with one line when the previous checkpoint has to be used.

    Raises:
        DataError: when there are checkpoints and none can be read.
    """
    newest, previous = folder / NEWEST, folder / PREVIOUS
    faults = []
    for path in (newest, previous):
        if not path.exists():
            continue
        try:
            state = _read(path)
        except DataError as error:
            faults.append(str(error))
            continue
        if faults:
            warn(f"{faults[0]} Going on from the checkpoint before it, {path.name}.")
            os.replace(newest, folder / DAMAGED)
        return state
    if not faults:
        return None
    raise DataError(f"{' '.join(faults)} No checkpoint is readable; train in another folder.")


def _read(path: Path) -> dict[str, Any]:
    tensors, data = storage.load(path)
    state = storage.unflatten(data, tensors)
    if not isinstance(state, dict):
        raise DataError(f"{path}: expected a checkpoint, got another kind of file.")
    return state


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers of a model, one that is shared under its first name only."""
    unique: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        unique.setdefault(id(tensor), (name, tensor))
    return dict(unique.values())


@torch.no_grad()
def set_model_tensors(model: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Copy saved tensors into a model of the same shape.

    Raises:
        DataError: when names or shapes are those of another model.
    """
    own = model_tensors(model)
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    saved = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != saved:
        name = min(name for name, _ in shapes.items() ^ saved.items())
        raise DataError(
            f"{source}: expected {name} of shape {shapes.get(name)}, got {saved.get(name)}."
            " It belongs to another model; train in another folder."
        )
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def save_tensors(path: Path, model: nn.Module) -> None:
    """Write a model's weights and buffers, all or nothing."""
    storage.save(path, model_tensors(model), None)


def load_tensors(path: Path, model: nn.Module) -> None:
    """Read them back into the model."""
    tensors, _ = storage.load(path)
    set_model_tensors(model, tensors, path)
