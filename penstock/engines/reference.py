"""The reference engine: PyTorch operations in a loop, gradients by autograd.

Any program, any device, any float type.  Slow and plainly right: the oracle
that every other engine is tested against.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.engines.storage import Weights, stack
from penstock.equations.plan import Plan, Product
from penstock.equations.program import Operation, Slot

__all__ = ["COMPUTE", "Sequence", "run", "supports"]

COMPUTE: dict[str, Callable[..., Tensor]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "transpose": lambda matrix: matrix.mT,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "square": torch.square,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hard_sigmoid": F.hardsigmoid,
    "hard_tanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "layernorm": lambda row: F.layer_norm(row, row.shape[-1:]),
    "softmax": lambda row: torch.softmax(row, -1),
    "mean": lambda row: row.mean(-1, keepdim=True),
    "sum": lambda row: row.sum(-1, keepdim=True),
}


@dataclass
class Sequence:
    """What a program runs over.

    Attributes:
        xs: the input, (T, B, D).
        sizes: every size by name.
        state: slot name to its value before the first step, (B, size).
        first: slot name to what a reset sets it to, (B, size).
        mask: (T, B), True = real; a step that is not leaves the state as it was.
        reset: (T, B), True = the state starts anew before this step.
        noise: noise name to its mask (see :func:`penstock.engines.noise.draw`).
    """

    xs: Tensor
    sizes: Mapping[str, int]
    state: dict[str, Tensor]
    first: dict[str, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None
    reset: Tensor | None = None
    noise: dict[str, Tensor] = field(default_factory=dict)


def supports(_: Plan) -> str:
    """Why the engine cannot run a program; empty when it can."""
    return ""


def run(
    plan: Plan, weights: Weights, sequence: Sequence, *, trace: bool = False
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Run a program over a sequence.

    Args:
        plan: the program with what runs when.
        weights: its weights.
        sequence: input, first state, masks.
        trace: whether to give every named vector and scalar of every step.

    Returns:
        Outputs (T, B, size); slot name to its value after the last step; assigned name to
        its values (T, B, size), empty without ``trace``.  All are zero where masked.
    """
    return _Run(plan, weights, sequence, trace).run()


class _Memory:
    """What is remembered from step to step, of states or of the input."""

    def __init__(self, slots: list[Slot], sequence: Sequence) -> None:
        self.values = {slot.field: sequence.state[slot.field] for slot in slots}
        self._first, self._reset, self._mask = sequence.first, sequence.reset, sequence.mask
        self._newest = {slot.field: slot.name for slot in slots if slot.delay == 1}
        self._moves = {slot.field: slot.later for slot in slots if slot.delay > 1}

    def begin(self, t: int) -> dict[str, Tensor]:
        """Slot name to value at the start of step ``t``: anew where it resets."""
        if self._reset is not None:
            anew = self._reset[t][:, None]
            self.values = {
                name: torch.where(anew, self._first[name], old) for name, old in self.values.items()
            }
        return self.values

    def end(self, t: int, new: Mapping[str, Tensor]) -> None:
        """Take in the values of step ``t`` by name; where masked, all stays as it was."""
        old = self.values
        self.values = {field: new[name] for field, name in self._newest.items()}
        self.values |= {field: old[later] for field, later in self._moves.items()}
        if self._mask is not None:
            real = self._mask[t][:, None]
            self.values = {n: torch.where(real, v, old[n]) for n, v in self.values.items()}


class _Run:
    """One run: ``values`` holds each operation's value, for all steps or for this step."""

    def __init__(self, plan: Plan, weights: Weights, sequence: Sequence, trace: bool) -> None:
        self.plan, self.weights, self.sequence = plan, weights, sequence
        self.program, self.operations = plan.program, plan.program.operations
        self.values: dict[int, Tensor] = {}
        self.stacked: dict[Product, tuple[Tensor, list[int]]] = {}
        self.steps, self.batch = sequence.xs.shape[:2]
        self.kept = {
            name: index
            for name, index in self.program.indices.items()
            if name == self.program.output or (trace and len(self.operations[index].shape) < 2)
        }
        self.trace = trace

    def run(self) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        state = self._delay_inputs()
        self._compute("once", self.values)
        self._compute("before", self.values)
        state |= self._loop()
        self._compute("after", self.values)
        traces = {name: self._every_step(index) for name, index in self.kept.items()}
        return traces[self.program.output], state, traces if self.trace else {}

    def _delay_inputs(self) -> dict[str, Tensor]:
        """Put earlier inputs, through masks and resets, among the values; give the last ones."""
        memory = _Memory([slot for slot in self.program.slots if slot.name == "x"], self.sequence)
        seen: dict[str, list[Tensor]] = {name: [] for name in memory.values}
        for t in range(self.steps if seen else 0):
            for name, value in memory.begin(t).items():
                seen[name].append(value)
            memory.end(t, {"x": self.sequence.xs[t]})
        fields = {slot.delay: slot.field for slot in self.program.slots if slot.name == "x"}
        for index, operation in enumerate(self.operations):
            if operation.op == "input":
                kept = seen[fields[operation.delay]] if operation.delay else []
                self.values[index] = torch.stack(kept) if kept else self.sequence.xs
        return memory.values

    def _loop(self) -> dict[str, Tensor]:
        """Take all steps; what is needed after them is left among the values, stacked."""
        slots = [slot for slot in self.program.slots if slot.name != "x"]
        memory = _Memory(slots, self.sequence)
        fields = {(slot.name, slot.delay): slot.field for slot in slots}
        reads = {
            index: fields[operation.name, operation.delay]
            for index, operation in enumerate(self.operations)
            if operation.op == "state"
        }
        states = {name: self.program.indices[name] for name in self.program.states}
        values = {i: v for i, v in self.values.items() if self.plan.stages[i] == "once"}
        values |= {i: self._batched(values[i]) for i in states.values() if i in values}
        sliced = {i: self.values[i].unbind(0) for i in self._read_by_loop(states.values())}
        collected: dict[int, list[Tensor]] = {index: [] for index in self._needed_after()}
        for t in range(self.steps if slots else 0):
            values |= {index: parts[t] for index, parts in sliced.items()}
            state = memory.begin(t)
            values |= {index: state[name] for index, name in reads.items()}
            self._compute("loop", values)
            for index, kept in collected.items():
                kept.append(values[index])
            memory.end(t, {name: values[index] for name, index in states.items()})
        for index, kept in collected.items():
            self.values[index] = torch.stack(kept) if kept else self._nothing(index)
        return memory.values

    def _compute(self, stage: str, values: dict[int, Tensor]) -> None:
        """Add the values of all operations of a stage to ``values``."""
        for item in self.plan.schedule[stage]:
            if isinstance(item, Product):
                self._multiply(item, values)
                continue
            operation = self.operations[item]
            if operation.op in COMPUTE:
                values[item] = COMPUTE[operation.op](*[values[arg] for arg in operation.args])
            elif operation.op == "matmul":
                matrix, right = (values[arg] for arg in operation.args)
                is_row = len(operation.shape) == 1
                values[item] = F.linear(right, matrix) if is_row else matrix @ right
            elif operation.op not in ("input", "state"):
                values[item] = self._leaf(operation)

    def _leaf(self, operation: Operation) -> Tensor:
        if operation.op == "weight":
            return self.weights[operation.name]
        if operation.op == "noise":
            return self.sequence.noise[operation.name]
        return self.sequence.xs.new_tensor(operation.value)

    def _multiply(self, product: Product, values: dict[int, Tensor]) -> None:
        if product not in self.stacked:
            matrices = [values[index] for index in product.matrices]
            names = tuple(self.operations[index].name for index in product.matrices)
            heights = [len(matrix) for matrix in matrices]
            self.stacked[product] = stack(self.weights, names, matrices), heights
        matrix, heights = self.stacked[product]
        rows = F.linear(values[product.operand], matrix)
        parts = rows.split(heights, -1) if len(heights) > 1 else [rows]
        values.update(zip(product.members, parts, strict=True))

    def _read_by_loop(self, states: Iterable[int]) -> set[int]:
        """Positions computed before the loop that its operations read, or that are states."""
        stages = self.plan.stages
        read = {
            arg
            for index, operation in enumerate(self.operations)
            if stages[index] == "loop"
            for arg in operation.args
        }
        return {index for index in read.union(states) if stages[index] == "before"}

    def _needed_after(self) -> list[int]:
        """Positions computed in the loop that the outputs or later operations read."""
        stages = self.plan.stages
        read = {
            arg
            for index, operation in enumerate(self.operations)
            if stages[index] == "after"
            for arg in operation.args
        }
        return sorted(i for i in read | set(self.kept.values()) if stages[i] == "loop")

    def _every_step(self, index: int) -> Tensor:
        value = self.values[index]
        if self.plan.stages[index] == "once":
            value = self._batched(value).expand(self.steps, -1, -1)
        if self.sequence.mask is not None:
            value = value.masked_fill(~self.sequence.mask[..., None], 0)
        return value

    def _batched(self, value: Tensor) -> Tensor:
        """A vector or scalar made of weights alone, the same for every sequence."""
        return value.expand(self.batch, value.shape[-1] if value.ndim else 1)

    def _nothing(self, index: int) -> Tensor:
        """The value of no steps at all."""
        sizes = {**self.sequence.sizes, "": 1}
        size = (self.operations[index].shape or ("",))[0]
        return self.sequence.xs.new_zeros(0, self.batch, sizes[size])
