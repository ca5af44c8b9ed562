"""The lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from penstock.errors import DataError

__all__ = ["StdinLines"]


class StdinLines:
    """The lines of stdin, cut at ``\\n`` only, with one ``\\r`` before it dropped.

    Args:
        strict: whether a line that is not UTF-8 is an error; otherwise it is read as well as can
            be, and remembered.

    Attributes:
        damaged: numbers of the lines that were not UTF-8.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.damaged: list[int] = []

    def __iter__(self) -> Iterator[str]:
        for number, raw in enumerate(sys.stdin.buffer, 1):
            line = raw.removesuffix(b"\n").removesuffix(b"\r")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                if self.strict:
                    reason = f"stdin:{number}: expected UTF-8 ({error.reason})."
                    raise DataError(reason) from None
                self.damaged.append(number)
                yield line.decode(errors="replace")
