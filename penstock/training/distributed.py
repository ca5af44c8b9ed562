"""Training by several processes that share each batch, started by ``torchrun``.

Every process has the whole model and computes the gradient of its share of a batch; the sum of
the shares is the gradient that one process would have had.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch import distributed as group

from penstock.errors import ConfigError

__all__ = [
    "any_of",
    "check_alone",
    "first_one_first",
    "from_first",
    "joined",
    "rank",
    "reseed",
    "share",
    "size",
    "summed",
]


@contextmanager
def joined() -> Iterator[None]:
    """Belong to the processes that ``torchrun`` started, if it did, until the block ends."""
    if group.is_initialized() or _started() < 2:
        yield
        return
    group.init_process_group("gloo")
    try:
        yield
    finally:
        group.destroy_process_group()


def check_alone(command: str) -> None:
    """Refuse to be one of several processes, for what cannot share its batches.

    Raises:
        ConfigError: ``torchrun`` started several.
    """
    if (processes := _started()) > 1:
        raise ConfigError(
            f"{command}: expected one process, got {processes}. Start it without torchrun; "
            "--threads uses several cores."
        )


def _started() -> int:
    """How many processes ``torchrun`` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def size() -> int:
    """How many processes train together."""
    return group.get_world_size() if group.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0; that one writes and speaks."""
    return group.get_rank() if group.is_initialized() else 0


def share(items: Any) -> Any:
    """This process's part of a batch; nothing where there are fewer items than processes."""
    return items[rank() :: size()]


@contextmanager
def first_one_first() -> Iterator[None]:
    """What the first process makes in the block, the others find made."""
    if size() > 1 and rank() > 0:
        group.barrier()
    yield
    if size() > 1 and rank() == 0:
        group.barrier()


def reseed(seed: int, update: int) -> None:
    """Give every process its own random numbers, the same whenever an update is done again."""
    if size() > 1:
        state = torch.Generator().manual_seed(seed)
        torch.manual_seed(int(torch.randint(2**60, (), generator=state)) + update * size() + rank())


@torch.no_grad()
def summed(weights: Sequence[Tensor], loss: float, tokens: int) -> tuple[float, int]:
    """Make the gradients of this process's mean loss those of everyone's.

        g = sum of tokens_r g_r / sum of tokens_r

    Args:
        weights: whose gradients they are, in the same order everywhere.
        loss: this process's mean loss per token.
        tokens: how many tokens that is, 0 for an empty share.

    Returns:
        Everyone's mean loss, and tokens.
    """
    if size() == 1:
        return loss, tokens
    totals = torch.tensor([loss * tokens, tokens], dtype=torch.float64)
    group.all_reduce(totals)
    total, count = totals.tolist()
    grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([grad.flatten() for grad in grads]) * (tokens / count)
    group.all_reduce(flat)
    parts = flat.split([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight)
    return total / count, int(count)


def any_of(condition: bool) -> bool:
    """Whether it holds in any process."""
    if size() == 1:
        return condition
    told = torch.tensor(float(condition))
    group.all_reduce(told)
    return bool(told)


def from_first(content: Any) -> Any:
    """The first process's content, which JSON can hold, in all of them."""
    if size() == 1:
        return content
    raw = json.dumps(content).encode() if rank() == 0 else b""
    length = torch.tensor(len(raw))
    group.broadcast(length, 0)
    letters = torch.zeros(int(length), dtype=torch.uint8)
    if rank() == 0:
        letters.copy_(torch.frombuffer(bytearray(raw), dtype=torch.uint8))
    group.broadcast(letters, 0)
    return json.loads(letters.numpy().tobytes())
