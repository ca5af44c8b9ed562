"""A cell: its citation, its equations, its start values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from penstock.equations import Program, parse
from penstock.equations.program import Initial
from penstock.errors import ConfigError
from penstock.registry import Registry

__all__ = ["CELLS", "Cell", "as_program"]


class Cell:
    """Base of the zoo's cells; a subclass gives a name and its equations.

    Example:
        >>> class Decay(Cell):
        ...     '''A leaky sum.
        ...
        ...     Nobody 1900.
        ...     '''
        ...     equations = "h = sigmoid(a) * h[t-1] + W @ x   # leaky sum"
        ...     initial = {"a": 2.0}
        >>> Decay.program().states, Decay.title(), Decay.citation()
        (('h',), 'A leaky sum.', 'Nobody 1900.')
    """

    name: ClassVar[str] = ""
    equations: ClassVar[str] = ""
    initial: ClassVar[Mapping[str, Initial]] = {}
    sizes: ClassVar[Mapping[str, float]] = {}

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name or cls.__name__
        if name:
            CELLS.add(name, cls)

    @classmethod
    @cache
    def program(cls) -> Program:
        """The equations as a Program with the cell's start values and sizes."""
        return parse(cls.equations, cls.name).with_sizes(cls.sizes).with_initial(cls.initial)

    @classmethod
    def title(cls) -> str:
        """What the cell is, in a line."""
        return cls._paragraphs()[0]

    @classmethod
    def citation(cls) -> str:
        """Where the equations come from."""
        return cls._paragraphs()[1]

    @classmethod
    def notes(cls) -> str:
        """What else is to be known: choices made, how libraries differ."""
        return "\n\n".join(cls._paragraphs()[2:])

    @classmethod
    def _paragraphs(cls) -> list[str]:
        paragraphs = (inspect.getdoc(cls) or "").split("\n\n")
        return [" ".join(paragraph.split()) for paragraph in paragraphs] + ["", ""]


CELLS: Registry[type[Cell]] = Registry("Recurrent", "cell")


def as_program(cell: str | type[Cell] | Program) -> Program:
    """The Program of a cell given by name, as a class, as equations or as a Program.

    A text that holds ``=`` is equations, any other is a name.
    """
    if isinstance(cell, Program):
        return cell
    if isinstance(cell, str):
        return parse(cell) if "=" in cell else CELLS[cell].program()
    if isinstance(cell, type) and issubclass(cell, Cell):
        return cell.program()
    raise ConfigError(
        f"Recurrent: expected cell as a name, equations, a Cell or a Program, got {cell!r}."
    )
