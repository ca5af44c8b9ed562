"""A cell as plain data: operations in order, named assignments, weights.

A :class:`Program` is what the parser makes, transforms rewrite, engines run,
and model folders store (as text, through :mod:`penstock.equations.render`).
It holds no tensors and no functions; two programs are equal when they compute
the same thing in the same order under the same names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from penstock.caching import cached_property
from penstock.errors import ConfigError

__all__ = [
    "SOURCE",
    "STARTS",
    "Assignment",
    "Initial",
    "Operation",
    "Program",
    "Shape",
    "Slot",
    "Weight",
]

Shape = tuple[str, ...]
"""Sizes by name: () a scalar, ("H",) a vector, ("H", "D") a matrix."""

SOURCE = "S"
"""The size of what has an entry for each source word, known when a sequence is: ("S",) a vector,
("M", "S") a matrix with a column for each, as :attr:`Program.reads_memory` tells."""

Initial = float | str | tuple[str, float, float] | None
"""Start value: a number, "identity", "orthogonal", ("uniform", low, high); None: the default."""

STARTS = ("identity", "orthogonal")
"""Start values of a matrix that have a name."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One value of a step, computed from earlier ones.

    Attributes:
        op: "input", "memory", "state", "weight", "constant", "noise", "transpose", "matmul",
            "add", "sub", "mul", "div", "neg", or the name of a function.
        args: positions of the operands among the program's operations.
        name: of the input, state, weight or noise.
        delay: how many steps ago an input or state is read (0 for this step's input).
        value: of a constant; probability of a random function or of a noise.
        per: how often a noise is drawn, "sequence", "step" or "weight"; a memory is one for
            each "sequence".
        shape: sizes of the value for one sequence.
    """

    op: str
    args: tuple[int, ...] = ()
    name: str = ""
    delay: int = 0
    value: float = 0.0
    per: str = ""
    shape: Shape = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A named value: ``name = operations[index]  # comment``."""

    name: str
    index: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter of the cell: its name, shape and start value."""

    name: str
    shape: Shape
    initial: Initial = None

    def fault(self) -> str:
        """What is wrong with the start value, or nothing."""
        match self.initial:
            case None:
                return ""
            case str(start) if start in STARTS:
                return "" if len(self.shape) == 2 else f"only a matrix can start as {start}"
            case ("uniform", float() | int() as low, float() | int() as high):
                return "" if -math.inf < low <= high < math.inf else "expected low <= high"
            case float() | int() if math.isfinite(self.initial):
                return ""
        return f"expected a number, {', '.join(STARTS)} or uniform(low, high)"


@dataclass(frozen=True, slots=True)
class Slot:
    """A value remembered between steps: state (or input) ``name`` from ``delay`` steps ago."""

    name: str
    delay: int
    size: Shape

    @property
    def field(self) -> str:
        """Name in the layer's state tuple: ``h`` for h[t-1], ``h_2`` for h[t-2]."""
        return self.name if self.delay == 1 else f"{self.name}_{self.delay}"

    @property
    def later(self) -> str:
        """The field whose value moves here when a step has passed."""
        return Slot(self.name, self.delay - 1, self.size).field


@dataclass(frozen=True)
class Program:
    """A cell's equations as data.

    Attributes:
        name: of the cell.
        operations: in an order in which each can be computed.
        assignments: the named lines, in the order written.
        weights: the parameters, in order of appearance.
        output: the assigned name that a layer gives out.
        sizes: extra sizes and their defaults (a float is a share of H, an int is absolute).
    """

    name: str
    operations: tuple[Operation, ...]
    assignments: tuple[Assignment, ...]
    weights: tuple[Weight, ...]
    output: str = "h"
    sizes: tuple[tuple[str, float], ...] = ()

    @cached_property
    def indices(self) -> dict[str, int]:
        """Assigned name to position among the operations."""
        return {line.name: line.index for line in self.assignments}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the equations use, without the input."""
        return (*self.indices, *(weight.name for weight in self.weights))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """What a step remembers: the output first, then in the order assigned, then inputs."""
        deepest: dict[str, int] = {}
        shapes: dict[str, Shape] = {}
        for operation in self.operations:
            if operation.delay:
                name = operation.name
                deepest[name] = max(deepest.get(name, 0), operation.delay)
                shapes[name] = operation.shape
        order = [self.output, *self.indices, "x"]
        names = [name for name in dict.fromkeys(order) if name in deepest]
        return tuple(
            Slot(name, delay, shapes[name])
            for name in names
            for delay in range(1, deepest[name] + 1)
        )

    @property
    def states(self) -> tuple[str, ...]:
        """Names read from an earlier step, without the input."""
        return tuple(slot.name for slot in self.slots if slot.delay == 1 and slot.name != "x")

    @property
    def output_shape(self) -> Shape:
        """Shape of one output."""
        return self.operations[self.indices[self.output]].shape

    @property
    def reads_memory(self) -> bool:
        """Whether the equations read ``memory``, the annotations of a source."""
        return any(operation.op == "memory" for operation in self.operations)

    @property
    def noises(self) -> tuple[Operation, ...]:
        """The masks an engine must be given to run this program."""
        return tuple(op for op in self.operations if op.op == "noise")

    def is_product(self, index: int) -> bool:
        """Whether an operation is a matrix, not of source words, times a vector."""
        operation = self.operations[index]
        if operation.op != "matmul" or len(operation.shape) != 1:
            return False
        left = self.operations[operation.args[0]].shape
        return len(left) == 2 and left[1] != SOURCE

    def with_sizes(self, sizes: Mapping[str, float]) -> Program:
        """The same program with other defaults for its extra sizes."""
        known = dict(self.sizes)
        for name, size in sizes.items():
            if name not in known:
                names = ", ".join(known) or "none"
                raise ConfigError(f"{self.name}: unknown size {name!r}. Extra sizes: {names}.")
            is_number = isinstance(size, int | float) and not isinstance(size, bool)
            if not is_number or not 0 < size < math.inf:
                raise ConfigError(
                    f"{self.name}: expected size {name} as a share of H such as 0.5, or a whole "
                    f"number >= 1, got {name}={size!r}."
                )
        return replace(self, sizes=tuple((known | dict(sizes)).items()))

    def with_initial(self, initial: Mapping[str, Initial]) -> Program:
        """The same program with other start values, by weight name."""
        names = [weight.name for weight in self.weights]
        for name in initial:
            if name not in names:
                raise ConfigError(
                    f"{self.name}: initial value for {name!r}, which is no weight. "
                    f"Weights: {', '.join(names)}."
                )
        weights = tuple(
            replace(weight, initial=initial.get(weight.name, weight.initial))
            for weight in self.weights
        )
        for weight in weights:
            if weight.fault():
                raise ConfigError(
                    f"{self.name}: {weight.fault()}, got {weight.name}={weight.initial!r}."
                )
        return replace(self, weights=weights)

    def resolve(self, input_size: int, hidden_size: int) -> dict[str, int]:
        """Every size by name, for example ``{"D": 100, "H": 200, "P": 100}``."""
        sizes = {"D": input_size, "H": hidden_size}
        for name, default in self.sizes:
            size = max(1, round(default * hidden_size)) if isinstance(default, float) else default
            sizes[name] = size
        return sizes

    def ancestors(self, targets: Iterable[int]) -> set[int]:
        """Positions of all operations that the given ones are computed from, themselves too."""
        seen: set[int] = set()
        stack = list(targets)
        while stack:
            index = stack.pop()
            if index not in seen:
                seen.add(index)
                stack.extend(self.operations[index].args)
        return seen
