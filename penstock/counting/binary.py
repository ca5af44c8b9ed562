"""The binary format of n-gram models: the arrays of a model as they are, mapped into memory.

A line with the name and version of the format; the length and checksum of a header; the header, a
JSON object that says what is where; then the words and the arrays, each from a multiple of 64
bytes on, little-endian.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from penstock.counting.counts import MAX_ORDER
from penstock.counting.levels import Level
from penstock.counting.model import NGramModel
from penstock.counting.table import EMPTY, ENTRY, Table
from penstock.counting.vocabulary import Array, Vocabulary
from penstock.errors import DataError, PenstockError
from penstock.files import open_atomic

__all__ = ["MAGIC", "read_binary", "write_binary"]

MAGIC = b"penstock n-gram "
VERSION = 1
_LINE = MAGIC + b"%d\n"
_LENGTHS = struct.Struct("<II")
ALIGNMENT = 64
WHOLE = 1 << 26
"""Bytes up to which the checksums of a file are compared whenever it is opened."""
_COLUMNS = {
    "log_p": np.dtype("<f4"),
    "backoff": np.dtype("<f4"),
    "prefix": np.dtype("<u4"),
    "word": np.dtype("<u4"),
    "entries": ENTRY,
}


def write_binary(model: NGramModel, path: Path) -> None:
    """Write a model in the binary format.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    words = "\n".join(model.vocabulary.words[2:-1]).encode("utf-8", "surrogateescape")
    parts = [np.frombuffer(words, np.uint8)]
    for order, level in enumerate(model.levels, 1):
        parts += _columns(level, order, model.order)
    header = json.dumps(
        {
            "order": model.order,
            "starts": [level.table.start for level in model.levels[1:]],
            "parts": [[part.nbytes, zlib.crc32(part.view(np.uint8).data)] for part in parts],
        }
    ).encode()
    with open_atomic(path) as file:
        file.write(_LINE % VERSION + _LENGTHS.pack(len(header), zlib.crc32(header)) + header)
        for part in parts:
            file.write(bytes(-file.tell() % ALIGNMENT))
            file.write(part.view(np.uint8).data)


def read_binary(path: Path, *, check: bool = False) -> NGramModel:
    """The model in a file of the binary format; its arrays are read when they are needed.

    Args:
        check: compare all checksums even if the file is larger than 64 MiB.

    Raises:
        DataError: the file is of another version, cut short or damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header, start = _header(path, file.read(1 << 20))
        data = np.memmap(path, np.uint8, "r")
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error
    try:
        parts = _parts(path, header["parts"], data, start, check or size <= WHOLE)
        return _model(header, parts)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, PenstockError) as error:
        if isinstance(error, DataError) and str(error).startswith(str(path)):
            raise
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _columns(level: Level, order: int, highest: int) -> list[Array]:
    """The arrays of a level that the file holds."""
    found: dict[str, Array] = {"log_p": level.log_p}
    if order < highest:
        found["backoff"] = level.backoff
    if order > 1:
        found |= {"prefix": level.prefix, "word": level.word, "entries": level.table.entries}
    return [np.ascontiguousarray(array, _COLUMNS[name]) for name, array in found.items()]


def _header(path: Path, beginning: bytes) -> tuple[dict[str, Any], int]:
    """What the file says of itself, and where that ends."""
    line, _, rest = beginning.partition(b"\n")
    if line != (_LINE % VERSION)[:-1]:
        version = line.removeprefix(MAGIC)[:20].decode("ascii", "replace")
        raise DataError(
            f"{path}: expected version {VERSION} of the format, got {version!r}. "
            "Another version of Penstock wrote it; make it again by penstock convert from the ARPA."
        )
    if len(rest) < _LENGTHS.size:
        raise _damaged(path, "the header is cut short")
    length, checksum = _LENGTHS.unpack_from(rest)
    text = rest[_LENGTHS.size : _LENGTHS.size + length]
    if len(text) != length or zlib.crc32(text) != checksum:
        raise _damaged(path, "the header")
    return json.loads(text), len(line) + 1 + _LENGTHS.size + length


def _parts(path: Path, sizes: list[list[int]], data: Array, start: int, check: bool) -> list[Array]:
    parts = []
    for size, checksum in sizes:
        start += -start % ALIGNMENT
        part = data[start : start + size]
        start += size
        if len(part) != size:
            raise _damaged(path, f"{len(data):,} bytes, it should have more")
        if check and zlib.crc32(part.data) != checksum:
            raise _damaged(path, f"a checksum near byte {start:,}")
        parts.append(part)
    if start != len(data):
        raise _damaged(path, f"{len(data):,} bytes, it should have {start:,}")
    return parts


def _model(header: dict[str, Any], parts: list[Array]) -> NGramModel:
    words = parts[0].tobytes().decode("utf-8", "surrogateescape")
    vocabulary = Vocabulary(words.split("\n") if words else [])
    order, rest = header["order"], iter(parts[1:])
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order {order}")
    levels = []
    for n in range(1, order + 1):
        names = ["log_p"] + ["backoff"] * (n < order)
        names += ["prefix", "word", "entries"] * (n > 1)
        columns = {name: next(rest).view(_COLUMNS[name]) for name in names}
        levels.append(_level(n, columns, vocabulary, header["starts"]))
    return NGramModel(vocabulary, levels)


def _level(n: int, columns: dict[str, Array], vocabulary: Vocabulary, starts: list[int]) -> Level:
    log_p = columns["log_p"]
    backoff = columns.get("backoff", np.broadcast_to(np.float32(0), log_p.shape))
    if n == 1:
        if len(log_p) != len(vocabulary) + 1:
            raise ValueError(f"{len(log_p)} words")
        word = np.arange(len(log_p), dtype=np.uint32)
        return Level(np.zeros_like(word), word, log_p, backoff)
    prefix, word = columns["prefix"], columns["word"]
    table = Table(columns["entries"], starts[n - 2])
    if not 0 < table.start < len(table.entries) or table.entries["key"][-1] != EMPTY:
        raise ValueError(f"the table of order {n}")  # looking up would not end
    if not len(prefix) == len(word) == len(log_p) == len(backoff):
        raise ValueError(f"arrays of different sizes in order {n}")
    return Level(prefix, word, log_p, backoff, table)


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path}: the file is damaged or cut short ({what}). Copy or make it again.")
