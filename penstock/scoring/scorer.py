"""Any language model as a scorer of text: a folder with a network, or a file with n-grams."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.counting.storage import SUFFIXES
from penstock.errors import ConfigError, DataError
from penstock.progress import Progress, silent
from penstock.scoring.counted import Counted, open_counted
from penstock.scoring.mixed import Mixed
from penstock.scoring.network import Network

if TYPE_CHECKING:
    from penstock.text import Tokeniser

__all__ = ["check_same_tokens", "is_ngram", "open_model", "open_models"]


def is_ngram(path: Path) -> bool:
    """Whether a path means a file of n-grams, there or not."""
    return path.is_file() or (path.name.endswith(SUFFIXES) and not path.is_dir())


def open_model(
    path: Path, progress: Progress = silent, *, precision: str = "", threads: int = 0
) -> Network | Counted:
    """The model in a folder or a file.

    Args:
        progress: told of the reading.
        precision: hold a network's matrices in fewer bits.
        threads: that share the scoring of a text with n-grams (0: one for each processor).

    Raises:
        DataError: it is missing, damaged or something else.
        ConfigError: it cannot take that precision.
    """
    if is_ngram(path):
        if precision:
            raise ConfigError(
                f"{path}: expected a network for --quantise {precision}, got n-grams."
            )
        return open_counted(path, progress, threads=threads or os.cpu_count() or 1)
    found = Network.open(path)
    if precision:
        found.model.quantise(precision)
    return found


def open_models(
    paths: Sequence[Path],
    weights: Sequence[float] | None = None,
    *,
    precision: str = "",
    threads: int = 0,
) -> Network | Counted | Mixed:
    """A model, or several mixed linearly.

    Args:
        weights: of each; their sum does not matter; equal ones when None.
        precision, threads: see :func:`open_model`.

    Raises:
        DataError: as :func:`open_model` and :func:`check_same_tokens`.
        ConfigError: the weights do not fit.
    """
    weights = weights or [1.0] * len(paths)
    if not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
        raise ConfigError(f"weights: expected numbers from 0, one of them above, got {weights}.")
    opened = [open_model(path, precision=precision, threads=threads) for path in paths]
    if len(opened) == 1:
        return opened[0]
    check_same_tokens(opened)
    return Mixed(opened, [weight / sum(weights) for weight in weights])


def check_same_tokens(models: Sequence[Network | Counted]) -> None:
    """Refuse models that do not predict the same tokens, or find other ones in a text.

    Raises:
        DataError: naming the first that differs from the first model, and some token if that
            is what differs.
    """
    first = models[0]
    known = set(first.tokeniser.tokens)
    for other in models[1:]:
        if first.tokeniser.kind != other.tokeniser.kind:
            raise DataError(
                f"{other.path}: expected {first.tokeniser.kind} tokens as in {first.path}, "
                f"got {other.tokeniser.kind} tokens. Mix models of the same tokens."
            )
        if differing := sorted(known ^ set(other.tokeniser.tokens)):
            word = differing[0]
            has, lacks = (first, other) if word in known else (other, first)
            raise DataError(
                f"{other.path}: expected the {len(known):,} tokens of {first.path}, got "
                f"{other.tokeniser.vocab_size:,}; {has.path} has {word!r}, {lacks.path} has not. "
                "Train them with the same vocabulary to mix them."
            )
        if _cut(first.tokeniser) != _cut(other.tokeniser):
            raise DataError(
                f"{other.path}: expected text cut into tokens as {first.path} cuts it, got another "
                "way with the same tokens. Train one with --tokeniser and the other to mix them."
            )


def _cut(tokeniser: Tokeniser) -> dict[str, Any]:
    """All that says how a text becomes tokens; their numbers do not matter."""
    found: dict[str, Any] = json.loads(tokeniser.as_json())
    found["model"]["vocab"] = sorted(found["model"]["vocab"])
    return found
