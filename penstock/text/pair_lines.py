"""Lines that hold a sentence pair: columns of a table, or JSON objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from penstock.errors import ConfigError, DataError, did_you_mean
from penstock.progress import Progress
from penstock.text.read import read_lines

__all__ = ["Pair", "parsed", "reader", "short"]

Pair = tuple[str, str]
"""A source line and its target line, as they stand in the file."""
_MOST = 5
"""Mistakes of one file that are told at once."""
_PACKED = (".gz", ".xz")
_TABLES = (".tsv", ".tab")
_RECORDS = (".jsonl", ".ndjson", ".json")
T = TypeVar("T")
Reader = Callable[[str], Pair]
"""A line to its pair; raises ValueError with what is wrong."""


def parsed(file: Path, read: Callable[[str], T], progress: Progress | None = None) -> Iterator[T]:
    """What each line says, as ``read`` has it.

    Raises:
        DataError: ``path:line`` for the first few lines of which ``read`` raises ValueError.
    """
    numbered = enumerate(read_lines(file, progress=progress), 1)
    for number, line in numbered:
        try:
            yield read(line)
        except ValueError as error:
            raise _mistakes(file, read, chain([(number, line)], numbered)) from error


def _mistakes(
    file: Path, read: Callable[[str], object], lines: Iterable[tuple[int, str]]
) -> DataError:
    """The error that names the first mistakes of a file."""

    def found() -> Iterator[str]:
        for number, line in lines:
            try:
                read(line)
            except ValueError as error:
                yield f"{file}:{number}: {error}"

    return DataError("\n".join(islice(found(), _MOST)))


def reader(file: Path, fields: tuple[str, str] | None) -> Reader:
    """What reads a line of the file, by the end of its name."""
    suffix = Path(file.stem).suffix if file.suffix in _PACKED else file.suffix
    if suffix in _TABLES:
        return _columns(fields or ("1", "2"))
    if suffix in _RECORDS:
        return _keys(fields or ("src", "tgt"))
    raise ConfigError(
        f"{file}: expected a .tsv or .jsonl of sentence pairs, got a name that ends in "
        f"{suffix or 'nothing'!r}. Name a file of target lines too (--tgt), or rename the file."
    )


def _columns(fields: tuple[str, str]) -> Reader:
    """Reads two columns of a table: what stands between tabs."""
    if not all(field.isascii() and field.isdigit() and int(field) for field in fields):
        raise ConfigError(
            f"pairs: expected the numbers of two columns, from 1, got {fields=}. "
            "The first two are ('1', '2')."
        )
    src, tgt = (int(field) for field in fields)

    def read(line: str) -> Pair:
        cells = line.split("\t")
        if len(cells) < max(src, tgt):
            raise ValueError(
                f"expected {max(src, tgt)} columns between tabs, got {len(cells)} "
                f"in {short(line)!r}."
            )
        return cells[src - 1], cells[tgt - 1]

    return read


def _keys(fields: tuple[str, str]) -> Reader:
    """Reads two texts of a JSON object."""

    def text(record: object, field: str) -> str:
        for key in field.split("."):
            if not isinstance(record, dict):
                raise ValueError(f"expected an object with {field!r}, got {short(str(record))!r}.")
            if key not in record:
                near = did_you_mean(key, record)
                raise ValueError(f"expected key {key!r}, got {', '.join(record)}.{near}")
            record = record[key]
        if not isinstance(record, str):
            raise ValueError(f"expected a text for {field!r}, got {short(str(record))!r}.")
        return record

    def read(line: str) -> Pair:
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"expected a JSON object, got {short(line)!r} ({error}).") from error
        except RecursionError as error:
            raise ValueError(f"expected a JSON object, got {short(line)!r}, too deep.") from error
        return text(record, fields[0]), text(record, fields[1])

    return read


def short(text: str) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= 40 else text[:37] + "..."
