"""Tensors and plain data in one safetensors file that is written whole and knows its damage.

No pickle is read or written.  The plain data is JSON in the file's header, beside a CRC-32 of it
and of every tensor's name, type, shape and bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from penstock.errors import DataError
from penstock.files import write_atomic

__all__ = ["flatten", "load", "save", "unflatten"]


def save(
    path: Path,
    tensors: Mapping[str, Tensor],
    data: Any,
    *,
    keep: Path | None = None,
    safe: str = "",
) -> None:
    """Write tensors and JSON data atomically; see :func:`penstock.files.open_atomic`."""
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    text = json.dumps(data)
    # One entry: safetensors writes several in an order that changes from run to run.
    metadata = {"penstock": f"{_crc32(copies, text)} {text}"}
    write_atomic(path, to_bytes(copies, metadata), keep=keep, safe=safe)


def load(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Read what :func:`save` wrote.

    Raises:
        DataError: when the file is missing, cut short, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
    crc, _, text = metadata.get("penstock", "").partition(" ")
    if not crc:
        raise DataError(
            f"{path}: expected tensors that Penstock wrote, with a check sum, got none."
        )
    if crc != _crc32(tensors, text):
        raise DataError(f"{path}: is damaged, its check sum does not fit its content.")
    return tensors, json.loads(text)


def _crc32(tensors: Mapping[str, Tensor], text: str) -> str:
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def flatten(tree: Any, tensors: dict[str, Tensor], path: str = "state") -> Any:
    """Nested dicts, lists and tensors as JSON data; each tensor goes to ``tensors`` by its path.

    >>> tensors = {}
    >>> flatten({"h": torch.zeros(2), 0: [1, None]}, tensors), list(tensors)
    ({'items': [['h', {'tensor': 'state/h'}], [0, [1, None]]]}, ['state/h'])
    """
    if isinstance(tree, Tensor):
        tensors[path] = tree
        return {"tensor": path}
    if isinstance(tree, Mapping):
        return {"items": [[k, flatten(v, tensors, f"{path}/{k}")] for k, v in tree.items()]}
    if isinstance(tree, list | tuple):
        return [flatten(value, tensors, f"{path}/{i}") for i, value in enumerate(tree)]
    return tree


def unflatten(data: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of :func:`flatten`, but for tuples, which come back as lists."""
    if isinstance(data, list):
        return [unflatten(value, tensors) for value in data]
    if isinstance(data, dict) and "tensor" in data:
        return tensors[data["tensor"]]
    if isinstance(data, dict):
        return {key: unflatten(value, tensors) for key, value in data["items"]}
    return data
