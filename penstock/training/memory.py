"""Whether a model fits in the memory of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from penstock.errors import ConfigError
from penstock.training.cell_settings import CellSettings

__all__ = ["check_memory", "check_sizes", "machine_memory"]

BYTES = 16
"""Least memory a weight costs in training: weight and gradient in float32, and both the optimiser's
averages, or the copies that writing a checkpoint makes."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int | None:
    """Bytes of memory this process may have, or None where the system does not say."""
    if not hasattr(os, "sysconf"):
        return None
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _LIMITS:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            continue  # no such limit, or "max"
    return min(limits)


def check_sizes(settings: CellSettings, vocab_size: int, build: Callable[[], nn.Module]) -> None:
    """Refuse sizes that cannot work together, or in this machine's memory, and write nothing.

    Args:
        build: makes the model of these settings; it is called where weights take no memory.

    Raises:
        ConfigError: naming the sizes, or the memory that the model would take.
    """
    owner = type(settings).__name__
    try:
        with torch.device("meta"):
            model = build()
    except (RuntimeError, TypeError) as error:  # a number of weights beyond 64 bits
        raise ConfigError(
            f"{owner}: expected smaller sizes, got hidden={settings.hidden}, "
            f"vocab_size={vocab_size}."
        ) from error
    check_memory(owner, sum(weight.numel() for weight in model.parameters()))


def check_memory(owner: str, weights: int) -> None:
    """Refuse a model that cannot be trained here, before the system ends the process for it.

    Raises:
        ConfigError: the weights with what training adds to them exceed the memory.
    """
    memory, needed = machine_memory(), weights * BYTES
    if memory is not None and needed > memory:
        raise ConfigError(
            f"{owner}: expected a model that fits in memory, got {weights:,} weights, which take "
            f"{needed / 1e9:,.1f} GB in training on a machine with {memory / 1e9:,.1f} GB. "
            "Take smaller layers or embedding, or a smaller vocabulary."
        )
