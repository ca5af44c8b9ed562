"""A figure as a file of its own."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from penstock.errors import ConfigError
from penstock.files import write_atomic
from penstock.inspect.style import drawing

__all__ = ["FORMATS", "check_format", "save"]

FORMATS = (".pdf", ".png", ".svg")
_DOTS = 200


def save(figure: Figure, path: Path) -> Path:
    """Write a figure atomically, as what its name ends in says.

    Raises:
        ConfigError: the name ends in no format that is known.
        DataError: the disk is full or the folder cannot be written.
    """
    ending = check_format(path)
    buffer = BytesIO()
    nothing = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with drawing():
        figure.savefig(
            buffer, format=ending[1:], dpi=_DOTS, facecolor="white", metadata=nothing[ending]
        )
    write_atomic(path, buffer.getvalue())
    return path


def check_format(path: Path) -> str:
    """The ending of a figure's name.

    Raises:
        ConfigError: it is no format that is known.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConfigError(f"{path}: expected a name ending in {', '.join(FORMATS)}.")
    return ending
