"""The lines of an ARPA file, many at a time, each with its number for the messages."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from penstock.errors import DataError, PenstockWarning
from penstock.progress import Progress

__all__ = ["Lines", "shown"]

BLOCK = 1 << 22
_PACKED = b"\x1f\x8b"


class Lines:
    """Reads a file, packed by gzip or not, in blocks of whole lines.

    Attributes:
        number: of the line read last, from 1.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path, self.number = path, 0
        self._lines: list[bytes] = []
        self._at, self._rest, self._ended = 0, b"", False
        self._progress = progress
        self._warned: set[str] = set()

    def __enter__(self) -> Lines:
        with self._reading():
            self._raw = self.path.open("rb")
            packed = self._raw.read(len(_PACKED)) == _PACKED
            self._raw.seek(0)
            self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
            self._size = self.path.stat().st_size
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._raw.close()

    def line(self) -> bytes | None:
        """The next line without white space around it, or None at the end of the file."""
        found = self.batch(1)
        return found[0].strip() if found else None

    def filled(self) -> bytes | None:
        """The next line that is not blank, as :meth:`line` gives it."""
        line = self.line()
        while line is not None and not line:
            line = self.line()
        return line

    def batch(self, most: int) -> list[bytes]:
        """So many lines or fewer, as they come; none at the end of the file."""
        if self._at == len(self._lines) and not self._more():
            return []
        found = self._lines[self._at : self._at + most]
        self._at += len(found)
        self.number += len(found)
        return found

    def fail(self, reason: str, line: int = 0) -> DataError:
        """The error for a line, by default the one read last."""
        return DataError(f"{self.path}:{line or self.number}: {reason}")

    def warn(self, reason: str, line: int) -> None:
        """Tell of the first line of the file that is read in another way than it stands."""
        if reason not in self._warned:
            self._warned.add(reason)
            warnings.warn(f"{self.path}:{line}: {reason}", PenstockWarning, stacklevel=2)

    def _more(self) -> bool:
        """Read another block; whether there was one."""
        while not self._ended:
            with self._reading():
                block = self._stream.read(BLOCK)
            self._ended = not block
            *lines, self._rest = (self._rest + block).split(b"\n")
            if self._ended and self._rest:
                lines, self._rest = [self._rest], b""
            if self._progress:
                self._progress(self._raw.tell(), self._size)
            if lines:
                self._lines, self._at = lines, 0
                return True
        return False

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self.fail(
                f"the packed file is damaged or cut short ({error}). Copy it again."
            ) from error
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{self.path}: cannot be read ({reason}).") from error


def shown(line: bytes | None) -> str:
    """A line as a message shows it."""
    if line is None:
        return "the end of the file"
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:57] + "...")
