"""The record of a run: ``metrics.jsonl``, the same bits for the same seed, and ``timing.jsonl``.

What depends on the machine or the hour (seconds, tokens per second) goes to the second file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import ConfigError, DataError
from penstock.files import disk_errors

__all__ = ["METRICS", "TIMING", "MetricsLog", "NoLog", "read"]

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
_SAFE = "The last good checkpoint stays where it is. "


class MetricsLog:
    """Append records to the two files; cut them at a checkpoint's position first.

    Args:
        folder: where the files are.
        position: what :meth:`position` gave when the checkpoint was written; None starts anew.
        tensorboard: write TensorBoard's event files to ``folder/tensorboard`` too.

    Raises:
        DataError: when a file is shorter than the checkpoint says.
        ConfigError: when TensorBoard is asked for and not installed.
    """

    def __init__(
        self,
        folder: Path,
        position: Mapping[str, int] | None = None,
        *,
        tensorboard: bool = False,
    ) -> None:
        self._board = _summary_writer(folder) if tensorboard else None
        self._files = {}
        for name in (METRICS, TIMING):
            self._files[name] = _open_at(folder / name, position[name] if position else 0)

    def write(self, record: Mapping[str, Any], step: int) -> None:
        """Append one record of figures that the seed decides, known after update ``step``."""
        self._append(METRICS, record)
        for name, value in record.items():
            if self._board is not None and isinstance(value, float):
                self._board.add_scalar(f"{record.get('kind', 'run')}/{name}", value, step)

    def write_timing(self, record: Mapping[str, Any]) -> None:
        """Append one record of figures that the clock decides."""
        self._append(TIMING, record)

    def position(self) -> dict[str, int]:
        """The length of both files in bytes, which are on the disk when this returns."""
        for file in self._files.values():
            with disk_errors(Path(file.name), _SAFE):
                os.fsync(file.fileno())
        return {name: file.tell() for name, file in self._files.items()}

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        if self._board is not None:
            self._board.close()

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        file = self._files[name]
        with disk_errors(Path(file.name), _SAFE):
            file.write(json.dumps(_finite(record), allow_nan=False).encode() + b"\n")
            file.flush()


class NoLog:
    """The log of a process that another one speaks for."""

    def write(self, record: Mapping[str, Any], step: int) -> None:
        """Nothing."""

    def write_timing(self, record: Mapping[str, Any]) -> None:
        """Nothing."""

    def position(self) -> dict[str, int]:
        """Nothing was written."""
        return {}

    def close(self) -> None:
        """Nothing is open."""


def _finite(value: Any) -> Any:
    """JSON has no infinity: such a figure is written as null."""
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open_at(path: Path, length: int) -> Any:
    with disk_errors(path):
        file = open(path, "ab")  # noqa: SIM115
    if file.tell() < length:
        file.close()
        raise DataError(
            f"{path}: expected at least the {length} bytes the checkpoint knows, got"
            f" {path.stat().st_size}. Put the file back, or train in another folder."
        )
    file.truncate(length)
    file.seek(length)
    return file


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "tensorboard: expected the package to be installed, got none."
            " Run: pip install 'penstock[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))


def read(path: Path) -> list[dict[str, Any]]:
    """All records of a log; a last line that is still being written is left out.

    Raises:
        DataError: naming ``path:line`` when a line is not a JSON object.
    """
    records = []
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}:{number}: expected a JSON object, got {line!r}.") from error
    return records
