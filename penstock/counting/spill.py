"""Counts on the disk: sorted runs, merged range by range so that memory stays bounded."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from penstock.counting.vocabulary import Array
from penstock.errors import DataError

__all__ = ["Run", "Runs", "Scratch", "merge"]

ZEROS = bytes(1 << 20)


class Run(NamedTuple):
    """Distinct keys in rising order, how often each occurs, and what goes with it: all (n,)."""

    key: Array
    times: Array
    suffix: Array


class Scratch:
    """Where arrays are put: in memory, or in files of a temporary folder."""

    def __init__(self, *, on_disk: bool) -> None:
        self.on_disk, self._made = on_disk, 0

    def __enter__(self) -> Scratch:
        if self.on_disk:
            self._folder = TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.on_disk:
            self._folder.cleanup()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                "count_ngrams: the disk of the temporary files is full. Make room there, set "
                "TMPDIR to another disk, or allow more memory."
            ) from error

    def empty(self, size: int, dtype: Any) -> Array:
        """A new array (size,), its values to be set."""
        if not self.on_disk or not size:
            return np.empty(size, dtype)
        path = self.file()
        with path.open("wb") as file:
            _reserve(file, size * np.dtype(dtype).itemsize)
        return np.memmap(path, dtype, "r+", shape=(size,))

    def file(self) -> Path:
        """The name of a new file in the folder."""
        self._made += 1
        return Path(self._folder.name) / f"{self._made}"


class Runs:
    """Runs one after another, in a file for each column, however many runs there are."""

    def __init__(self, scratch: Scratch) -> None:
        self._kept: list[Run] = []
        self._sizes: list[int] = []
        self._files = [scratch.file() for _ in Run._fields] if scratch.on_disk else []

    def add(self, run: Run) -> None:
        """Put a run behind the others, out of memory where that is the way."""
        if not self._files:
            self._kept.append(run)
            return
        self._dtypes = [column.dtype for column in run]
        self._sizes.append(len(run.key))
        for path, column in zip(self._files, run, strict=True):
            with path.open("ab") as file:
                file.write(column.data)

    def all(self) -> list[Run]:
        """They, in their order."""
        if not sum(self._sizes):
            return self._kept or [Run(*(np.empty(0, dtype) for dtype in self._dtypes))]
        stops = np.cumsum(self._sizes)[:-1]
        columns = [
            np.split(np.memmap(path, dtype, "r"), stops)
            for path, dtype in zip(self._files, self._dtypes, strict=True)
        ]
        return [Run(*parts) for parts in zip(*columns, strict=True)]


def merge(runs: list[Run], size: int, scratch: Scratch) -> Run:
    """One run of all: the counts of a key are added.

    Args:
        size: entries that are held in memory at a time, about.
    """
    if len(runs) == 1:
        return runs[0]
    most = sum(len(run.key) for run in runs)
    whole = Run(*(scratch.empty(most, column.dtype) for column in runs[0]))
    found = 0
    for part in _ranges(runs, max(size, 1), most):
        merged = _merged(part)
        for target, column in zip(whole, merged, strict=True):
            target[found : found + len(column)] = column
        found += len(merged.key)
    return Run(*(column[:found] for column in whole))


def _reserve(file: BinaryIO, size: int) -> None:
    """Give a new file its blocks on the disk: storing into a map of one without kills the process.

    Raises:
        OSError: the disk is full.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, len(ZEROS)):
        file.write(ZEROS[: size - start])


def _ranges(runs: list[Run], size: int, most: int) -> list[list[Run]]:
    """Slices of the runs between the same keys, each range with about ``size`` entries in all."""
    number = -(-most // size)
    samples = np.sort(np.concatenate([run.key[:: max(1, len(run.key) // number)] for run in runs]))
    cuts = np.unique(samples[np.linspace(0, len(samples), number + 1).astype(int)[1:-1]])
    places = [[0, *np.searchsorted(run.key, cuts), len(run.key)] for run in runs]
    return [
        [
            Run(*(column[place[i] : place[i + 1]] for column in run))
            for run, place in zip(runs, places, strict=True)
        ]
        for i in range(len(cuts) + 1)
    ]


def _merged(runs: list[Run]) -> Run:
    """Runs that fit in memory."""
    key, count, suffix = (
        np.concatenate([run[column] for run in runs]) for column in range(len(Run._fields))
    )
    if not len(key):
        return Run(key, count, suffix)
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    return Run(key[first], np.add.reduceat(count[order], first), suffix[order[first]])
