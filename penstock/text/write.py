"""Writing a file so that a reader finds the old one or the new one, never a half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from penstock.errors import DataError

__all__ = ["write_atomically"]


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open ``path`` for writing; it takes its name only when the block ends without an error.

    Raises:
        DataError: when the file cannot be written, a full disk for one; the old file stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):
            part.unlink()
