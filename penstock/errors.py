"""The errors Penstock raises for a user's mistake, its warnings, and the help they carry.

Every message reads ``Owner: expected ..., got name=value. What to do.``  The
command line prints it on one line and exits with status 2; a Python caller
catches :class:`PenstockError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "DataError",
    "EquationError",
    "PenstockError",
    "PenstockWarning",
    "ShapeError",
    "did_you_mean",
    "unknown",
]

_NEAR = 5
"""Like names among which the fewest edits decide."""


class PenstockError(Exception):
    """A mistake the user can mend; the message says how."""


class PenstockWarning(UserWarning):
    """Something is done in another way than it was asked for; the command line tells it."""


class ConfigError(PenstockError, ValueError):
    """An option or setting has a value that cannot work."""


class DataError(PenstockError, ValueError):
    """A file or a text cannot be used; the message names ``path:line``."""


class ShapeError(PenstockError, ValueError):
    """A tensor or a size does not fit."""


class EquationError(PenstockError, ValueError):
    """A cell's equations are wrong; the message points at the character.

    Attributes:
        cell: name of the cell.
        line: line in the equations, from 1 (0 when the whole text is meant).
        column: character in the line, from 1 (0 when the whole text is meant).
    """

    def __init__(
        self, reason: str, *, cell: str = "cell", line: int = 0, column: int = 0, source: str = ""
    ) -> None:
        self.reason, self.cell, self.line, self.column = reason, cell, line, column
        place = f"{cell}: line {line}, column {column}: " if line else f"{cell}: "
        picture = f"\n    {source}\n    {' ' * (column - 1)}^" if line and source else ""
        super().__init__(place + reason + picture)


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A hint naming the nearest option, or an empty text.

    >>> did_you_mean("sigmod", ["sigmoid", "tanh"])
    " Did you mean 'sigmoid'?"
    >>> did_you_mean("gur", ["mgu", "gru"])
    " Did you mean 'gru'?"
    """
    near = difflib.get_close_matches(word, list(options), n=_NEAR, cutoff=0.6)
    return f" Did you mean {min(near, key=lambda one: _edits(word, one))!r}?" if near else ""


def _edits(a: str, b: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours that make a into b.

    >>> [_edits("gur", name) for name in ("gru", "mgu", "gur")]
    [1, 2, 0]
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, before, row = before, row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
            if above and j > 1 and (x, y) == (b[j - 2], a[i - 2]):
                row[j] = min(row[j], above[j - 2] + 1)
    return row[-1]


def unknown(owner: str, what: str, word: str, options: Iterable[str]) -> ConfigError:
    """The error for a name that is not among the known ones.

    >>> print(unknown("Recurrent", "cell", "lstn", ["gru", "lstm"]))
    Recurrent: unknown cell 'lstn'. Did you mean 'lstm'? Known: gru, lstm.
    """
    names = sorted(options)
    hint = did_you_mean(word, names)
    known = "" if hint and len(names) > 12 else f" Known: {', '.join(names)}."
    return ConfigError(f"{owner}: unknown {what} {word!r}.{hint}{known}")
