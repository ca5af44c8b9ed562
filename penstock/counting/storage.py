"""Files of n-gram models: which format a file is in, or is to be."""

from __future__ import annotations

from pathlib import Path

from penstock.counting.arpa_reader import read_arpa
from penstock.counting.arpa_writer import write_arpa
from penstock.counting.binary import MAGIC, read_binary, write_binary
from penstock.counting.model import NGramModel
from penstock.errors import ConfigError, DataError, did_you_mean
from penstock.progress import Progress

__all__ = ["SUFFIXES", "check_name", "load", "save"]

BINARY = ".ngram"
SUFFIXES = (".arpa", ".arpa.gz", ".lm", ".lm.gz", BINARY)


def load(path: Path, *, progress: Progress | None = None) -> NGramModel:
    """See :meth:`NGramModel.load`."""
    try:
        with path.open("rb") as file:
            binary = file.read(len(MAGIC)) == MAGIC
    except FileNotFoundError:
        near = did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
        raise DataError(f"{path}: no such file.{near}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return read_binary(path) if binary else read_arpa(path, progress=progress)


def save(model: NGramModel, path: Path, *, progress: Progress | None = None) -> None:
    """See :meth:`NGramModel.save`."""
    check_name(path)
    if path.name.endswith(BINARY):
        write_binary(model, path)
    else:
        write_arpa(model, path, progress=progress)


def check_name(path: Path) -> None:
    """Refuse a name that says no format, or that a folder has.

    Raises:
        ConfigError: it is such a name.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: expected the name of a file, got a folder. Name a file in it.")
    if not path.name.endswith(SUFFIXES):
        raise ConfigError(
            f"{path}: expected a name that ends in .arpa, .arpa.gz or {BINARY}, got {path.name!r}."
        )
