"""The time loop of any cell, compiled for several instruction sets: see ``native/``."""

from collections.abc import Sequence

def instruction_sets() -> list[str]:
    """Those compiled in that this processor runs, from the widest to the narrowest."""

def multiplies_halves() -> bool:
    """Whether this processor is faster at products in bfloat16 than in float32."""

def has_tiles() -> bool:
    """Whether this processor has registers for tiles of bfloat16 (AMX)."""

def multiply_large(*arguments: object) -> bool:
    """Multiply matrices given by address; whether all their numbers are finite."""

def cross_entropy(isa: str, *arguments: object) -> None:
    """Losses of rows of logits, and the gradient in their place; tensors are given by address."""

def pack_symbols(isa: str, *arguments: object) -> None:
    """Copy rows of a softmax's matrix, given by address, to the order in which they are read."""

def best_symbols(isa: str, *arguments: object) -> None:
    """The most probable symbols of a softmax; tensors are given by address."""

class Machine:
    """A program of :mod:`penstock.engines.assemble`, and the instruction set it runs on."""

    def __init__(self, isa: str, *arguments: object) -> None: ...
    def panel_size(self, panel: int) -> int:
        """How many numbers a packed panel holds."""

    def pack(
        self,
        panel: int,
        members: Sequence[int],
        by_unit: int,
        by_depth: int,
        out: int,
        is_double: bool,
    ) -> None:
        """Copy matrices, given by address and strides, to the order in which they are read."""

    def words(self, panel: int, precision: int) -> int:
        """How many words of 32 bits a panel holds in a precision of fewer bits."""

    def reduce(
        self,
        panel: int,
        precision: int,
        members: Sequence[int],
        by_unit: int,
        by_depth: int,
        out: int,
    ) -> None:
        """Copy matrices of float32, rounded to a precision already, to its words."""

    def pack_halves(
        self, panel: int, members: Sequence[int], by_unit: int, by_depth: int, out: int
    ) -> None:
        """Copy matrices of bfloat16 to the words that operands in bfloat16 are multiplied with."""

    def prefers_fixed(self, rows: int) -> bool:
        """Whether products of so many rows of float32 are faster as those of whole numbers."""

    def pack_fixed(
        self, panel: int, members: Sequence[int], by_unit: int, by_depth: int, out: int
    ) -> bool:
        """Copy matrices of float32 as whole numbers; whether these stand for their own."""

    def run(self, *arguments: object) -> None:
        """Run over a sequence; tensors are given by address."""

class Stepper:
    """A machine with its weights, for one step at a time."""

    def __init__(
        self,
        machine: Machine,
        vectors: Sequence[int],
        panels: Sequence[int],
        precision: int,
        is_double: bool,
    ) -> None: ...
    def step(
        self,
        batch: int,
        x: int,
        width: int,
        first: Sequence[int],
        last: Sequence[int],
        out: int,
        out_width: int,
    ) -> None:
        """One token for every row; tensors are given by address."""

    def look(self, *arguments: object) -> None:
        """The same with sources to look at."""
