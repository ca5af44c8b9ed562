"""The planner: when each operation runs, and which products run as one.

Every operation gets the earliest stage in which it can be computed:

- ``once``: from weights alone, before anything (``W - W.T``);
- ``before``: from the input of all steps at once (``W @ x`` as one large product);
- ``loop``: step by step, because a state is read;
- ``after``: for all steps at once again, because no state needs it.

Sums are regrouped first so that ``W @ x + U @ h[t-1] + b`` adds ``W @ x + b``
outside the loop.  Products of one operand are joined into a single product.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from penstock.caching import cached_property
from penstock.equations.program import Assignment, Operation, Program

__all__ = ["STAGES", "Plan", "Product", "plan"]

STAGES = ("once", "before", "loop", "after")


@dataclass(frozen=True)
class Product:
    """Matrix products of one operand that run as one.

    Attributes:
        operand: position of the vector.
        members: positions of the products, in the order their rows are stacked.
        matrices: positions of the matrices, in the same order.
    """

    operand: int
    members: tuple[int, ...]
    matrices: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """A program with what runs when.

    Attributes:
        program: the program with its sums regrouped; positions below refer to it.
        stages: stage of every operation.
        schedule: for each stage what to compute in order: a position or a Product.
        notes: what engines work out of the plan once.
    """

    program: Program
    stages: tuple[str, ...]
    schedule: dict[str, tuple[int | Product, ...]]
    notes: dict[Any, Any] = field(default_factory=dict)

    @property
    def layout(self) -> tuple[str, ...]:
        """Weight names in storage order: matrices that are multiplied together lie together."""
        operations = self.program.operations
        joined = [
            operations[matrix].name
            for stage in STAGES
            for item in self.schedule[stage]
            if isinstance(item, Product)
            for matrix in item.matrices
            if operations[matrix].op == "weight"
        ]
        return tuple(dict.fromkeys([*joined, *(w.name for w in self.program.weights)]))

    @cached_property
    def per_sequence(self) -> frozenset[int]:
        """Operations known before all steps that differ between sequences."""
        operations = self.program.operations
        return frozenset(
            index
            for index, stage in enumerate(self.stages)
            if stage == "once"
            and any(operations[i].per == "sequence" for i in self.program.ancestors([index]))
        )

    @cached_property
    def product_of(self) -> dict[int, Product]:
        """Position of a product to those it runs as one with."""
        items = [item for stage in STAGES for item in self.schedule[stage]]
        products = [item for item in items if isinstance(item, Product)]
        return {member: product for product in products for member in product.members}

    @property
    def products_per_step(self) -> int:
        """How many products one step of the loop needs after joining."""
        return sum(isinstance(item, Product) for item in self.schedule["loop"])


@lru_cache(maxsize=256)
def plan(program: Program) -> Plan:
    """Decide when each operation of a program runs.

    Example:
        >>> from penstock.equations import parse
        >>> made = plan(parse("h = tanh(W @ x + U @ h[t-1] + b)"))
        >>> made.products_per_step
        1
    """
    program = _regroup_sums(program)
    stages = _stages(program)
    return Plan(program, stages, {stage: _schedule(program, stages, stage) for stage in STAGES})


def _stages(program: Program) -> tuple[str, ...]:
    stages: list[str] = []
    for operation in program.operations:
        own = {"input": 1, "state": 2}.get(operation.op, 0)
        if operation.op == "noise" and operation.per == "step":
            own = 1
        stage = max([own, *(STAGES.index(stages[arg]) for arg in operation.args)])
        stages.append(STAGES[min(stage, 2)])
    indices = program.indices
    needed = program.ancestors(indices[name] for name in program.states)
    return tuple(
        "after" if stage == "loop" and index not in needed and op.op != "state" else stage
        for index, (stage, op) in enumerate(zip(stages, program.operations, strict=True))
    )


def _schedule(program: Program, stages: tuple[str, ...], stage: str) -> tuple[int | Product, ...]:
    items: list[int | Product] = []
    joined: set[int] = set()
    for index in range(len(program.operations)):
        if stages[index] != stage or index in joined:
            continue
        if _is_product(program, stages, index):
            product = _join(program, stages, index)
            joined.update(product.members)
            items.append(product)
        else:
            items.append(index)
    return tuple(items)


def _is_product(program: Program, stages: tuple[str, ...], index: int) -> bool:
    """Whether an operation multiplies a matrix made of weights with what they do not make."""
    matrix = program.operations[index].args[:1]
    is_fixed = all(stages[arg] == "once" for arg in matrix) and stages[index] != "once"
    return is_fixed and program.is_product(index)


def _join(program: Program, stages: tuple[str, ...], first: int) -> Product:
    operand = program.operations[first].args[1]
    members = tuple(
        index
        for index, operation in enumerate(program.operations)
        if _is_product(program, stages, index)
        and operation.args[1] == operand
        and stages[index] == stages[first]
    )
    return Product(operand, members, tuple(program.operations[m].args[0] for m in members))


def _regroup_sums(program: Program) -> Program:
    """Rewrite sums in the loop so that their terms known before it are added first."""
    stages = _stages(program)
    uses = Counter(arg for operation in program.operations for arg in operation.args)
    named = set(program.indices.values())
    inner = {
        arg
        for index, operation in enumerate(program.operations)
        if operation.op == "add" and stages[index] in ("loop", "after")
        for arg in operation.args
        if program.operations[arg].op == "add" and uses[arg] == 1 and arg not in named
    }
    new: list[Operation] = []
    moved: dict[int, int] = {}
    for index, operation in enumerate(program.operations):
        if index in inner:
            continue
        if operation.op == "add" and stages[index] in ("loop", "after"):
            terms = _terms(program, index, inner)
            terms.sort(key=lambda term: stages[term] in ("loop", "after"))
            moved[index] = _sum(new, [moved[term] for term in terms])
        else:
            new.append(replace(operation, args=tuple(moved[arg] for arg in operation.args)))
            moved[index] = len(new) - 1
    lines = tuple(Assignment(a.name, moved[a.index], a.comment) for a in program.assignments)
    return replace(program, operations=tuple(new), assignments=lines)


def _terms(program: Program, index: int, inner: set[int]) -> list[int]:
    return [
        term
        for arg in program.operations[index].args
        for term in (_terms(program, arg, inner) if arg in inner else [arg])
    ]


def _sum(operations: list[Operation], terms: list[int]) -> int:
    total = terms[0]
    for term in terms[1:]:
        shape = max(operations[total].shape, operations[term].shape, key=len)
        operations.append(Operation("add", (total, term), shape=shape))
        total = len(operations) - 1
    return total
