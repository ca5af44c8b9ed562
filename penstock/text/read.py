"""Reading text: plain, gzip or xz files of UTF-8, streamed as blocks of whole lines.

A line ends at ``\\n`` and nowhere else; one ``\\r`` before it is dropped, and so is a byte order
mark at the start of a file.  Every other character, NUL and U+2028 among them, is text.
"""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from penstock.errors import DataError, did_you_mean
from penstock.progress import Progress

__all__ = ["Paths", "read_blocks", "read_lines", "resolve"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
BLOCK = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def resolve(paths: Paths) -> list[Path]:
    """The files named by one path or several, each checked to be a file with something in it.

    Raises:
        DataError: when a file is missing, is a folder or is empty; all are named together.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    files = [Path(path) for path in several]
    if not files:
        raise DataError("text: expected one file at least, got none. Name a text file.")
    mistakes = [mistake for file in files if (mistake := _mistake(file))]
    if mistakes:
        raise DataError("\n".join(mistakes))
    return files


def read_lines(paths: Paths, *, progress: Progress | None = None) -> Iterator[str]:
    """The lines of the files, without their line ends.

    Args:
        progress: called after each block, see :func:`read_blocks`.

    Raises:
        DataError: as :func:`read_blocks`.
    """
    rest = ""
    for block in read_blocks(paths, progress=progress):
        *lines, rest = (rest + block).split("\n")
        yield from lines


def read_blocks(
    paths: Paths, *, size: int = BLOCK, progress: Progress | None = None
) -> Iterator[str]:
    """The text of the files in blocks of whole lines, each line ended by ``\\n``.

    A line longer than ``size`` comes in several blocks, cut before a space, so that a file of one
    line streams too; only its last block ends in ``\\n``.

    Args:
        paths: one file or several, read in their order; ``.gz`` and ``.xz`` are unpacked.
        size: bytes of unpacked text in a block, about.
        progress: told after each block the bytes read and the bytes there are, as they lie on the
            disk.

    Raises:
        DataError: for a file that :func:`resolve` refuses, cannot be opened, is a broken archive,
            holds nothing, or is not UTF-8 (the line and the byte are named).
    """
    files = resolve(paths)
    sizes = [file.stat().st_size for file in files]
    for index, file in enumerate(files):
        with _reading(file), file.open("rb") as raw:
            for block in _decoded(_pieces(_unpacked(raw, file), size), file):
                yield block
                if progress:
                    progress(sum(sizes[:index]) + raw.tell(), sum(sizes))


def _mistake(file: Path) -> str:
    """What keeps ``file`` from being read, or an empty text."""
    if os.path.isdir(file):
        return f"{file}: expected a text file, got a folder. Name the files in it."
    if not os.path.exists(file):
        near = (other.name for other in file.parent.glob("*"))
        return f"{file}: no such file.{did_you_mean(file.name, near)}"
    if not os.path.isfile(file):
        return f"{file}: expected a file, got a pipe or device. A text is read more than once."
    return "" if file.stat().st_size else _empty(file)


def _empty(file: Path) -> str:
    return f"{file}: the file is empty. Give a file with text in it."


def _unpacked(raw: BinaryIO, file: Path) -> BinaryIO:
    """The stream of the text itself."""
    if file.suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    return cast(BinaryIO, lzma.LZMAFile(raw)) if file.suffix == ".xz" else raw


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn what goes wrong below into the user's terms."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        reason = f"{file}: the {file.suffix} file is damaged or cut short ({error}). Copy it again."
        raise DataError(reason) from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}).") from error


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Bytes cut after a line end, or inside a line before a space."""
    rest = b""
    while chunk := stream.read(size):
        rest += chunk
        cut = rest.rfind(b"\n") + 1 or rest.rfind(b" ")
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest + b"\n"


def _decoded(pieces: Iterable[bytes], file: Path) -> Iterator[str]:
    """Text of the pieces with its line ends made one."""
    line = 1
    for index, piece in enumerate(pieces):
        start = len(_BYTE_ORDER_MARK) if not index and piece.startswith(_BYTE_ORDER_MARK) else 0
        try:
            text = piece[start:].decode()
        except UnicodeDecodeError as error:
            place = start + error.start
            before = piece.count(b"\n", 0, place)
            raise DataError(
                f"{file}:{line + before}: expected UTF-8, got byte "
                f"0x{piece[place]:02x}. Save the file as UTF-8."
            ) from error
        line += piece.count(b"\n")
        yield text.replace("\r\n", "\n")
    if line == 1:
        raise DataError(_empty(file))
