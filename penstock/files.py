"""Writing files so that a reader finds the old one or the new one, never a half."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from penstock.errors import DataError

__all__ = ["disk_errors", "open_atomic", "write_atomic", "write_changed"]


@contextmanager
def disk_errors(path: Path, safe: str = "") -> Iterator[None]:
    """Turn what the file system answers into one clear line; ``safe`` says what is not lost."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "Make room and run the same command again."
        else:
            advice = "Check the folder and its permissions."
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{path}: cannot be written, {reason}. {safe}{advice}") from error


@contextmanager
def open_atomic(path: Path, *, keep: Path | None = None, safe: str = "") -> Iterator[BinaryIO]:
    """Open ``path`` for writing; it takes its name only when the block ends without an error.

    Args:
        keep: where the file that is replaced is kept.
        safe: a sentence for the error message on what is not lost, ending in a space.

    Raises:
        DataError: the disk is full or the folder cannot be written; ``path`` is untouched.
    """
    temporary = path.with_name(path.name + ".tmp")
    with disk_errors(path, safe):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if keep is not None and path.exists():
                os.replace(path, keep)
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        _sync_folder(path.parent)


def write_atomic(path: Path, data: bytes, *, keep: Path | None = None, safe: str = "") -> None:
    """Replace ``path`` by ``data``; see :func:`open_atomic`."""
    with open_atomic(path, keep=keep, safe=safe) as file:
        file.write(data)


def write_changed(path: Path, data: bytes) -> None:
    """:func:`write_atomic` where ``path`` does not hold the data yet, so that its time stays."""
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a loss of power."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
