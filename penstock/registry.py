"""Named things: cells, optimisers, metrics, output layers, ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from penstock.errors import unknown

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from name to thing whose look-up error names the nearest entry.

    >>> cells = Registry("Recurrent", "cell")
    >>> cells.add("lstm", object())
    >>> cells["lstn"]
    Traceback (most recent call last):
    penstock.errors.ConfigError: Recurrent: unknown cell 'lstn'. Did you mean 'lstm'? Known: lstm.
    """

    def __init__(self, owner: str, what: str, entries: Mapping[str, T] | None = None) -> None:
        self._owner, self._what = owner, what
        self._entries: dict[str, T] = dict(entries or {})

    def add(self, name: str, entry: T) -> None:
        """Register ``entry``; a name is taken once."""
        if name in self._entries:
            raise ValueError(f"{self._owner}: {self._what} {name!r} is registered twice")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise unknown(self._owner, self._what, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
