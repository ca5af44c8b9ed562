"""The reference engine: PyTorch operations in a loop, gradients by autograd.

Any program, any device, any float type.  Slow and plainly right: the oracle
that every other engine is tested against.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

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
        noise: noise name to its mask: (B, size) per sequence, (T, B, size) per step,
            or the weight's shape.
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
        trace: whether to keep every named value of every step.

    Returns:
        Outputs (T, B, size), zero where masked; slot name to its value after the last
        step; assigned name to its values (T, B, size), empty without ``trace``.
    """
    return _Run(plan, weights, sequence, trace).run()


class _Run:
    """One run: ``values`` holds each operation's value, for all steps or for this step."""

    def __init__(self, plan: Plan, weights: Weights, sequence: Sequence, trace: bool) -> None:
        self.plan, self.weights, self.sequence = plan, weights, sequence
        self.operations = plan.program.operations
        self.values: dict[int, Tensor] = {}
        self.stacked: dict[Product, Tensor] = {}
        self.steps, self.batch = sequence.xs.shape[:2]
        self.kept = {plan.program.output: plan.program.indices[plan.program.output]}
        if trace:
            self.kept |= plan.program.indices

    def run(self) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        state = self._delay_inputs()
        self._compute_all("once", self.values)
        self._compute_all("before", self.values)
        state |= self._loop()
        self._compute_all("after", self.values)
        traces = {name: self._every_step(index) for name, index in self.kept.items()}
        ys = traces[self.plan.program.output]
        if self.sequence.mask is not None:
            ys = ys.masked_fill(~self.sequence.mask[..., None], 0)
        return ys, state, traces

    def _delay_inputs(self) -> dict[str, Tensor]:
        """Put earlier inputs, through masks and resets, among the values; give the last ones."""
        slots = [slot for slot in self.plan.program.slots if slot.name == "x"]
        memory = {slot.field: self.sequence.state[slot.field] for slot in slots}
        seen: dict[str, list[Tensor]] = {slot.field: [] for slot in slots}
        for t in range(self.steps if slots else 0):
            memory = self._reset(memory, t)
            for name, kept in seen.items():
                kept.append(memory[name])
            new = [self.sequence.xs[t], *memory.values()]
            memory = self._advance(memory, dict(zip(memory, new, strict=False)), t)
        for index, operation in enumerate(self.operations):
            if operation.op == "input" and operation.delay:
                kept = seen[next(s.field for s in slots if s.delay == operation.delay)]
                self.values[index] = torch.stack(kept) if kept else self.sequence.xs
        return memory

    def _compute_all(self, stage: str, values: dict[int, Tensor]) -> None:
        for item in self.plan.schedule[stage]:
            if isinstance(item, Product):
                self._multiply(item, values)
            elif item not in values:
                values[item] = self._compute(self.operations[item], values)

    def _compute(self, operation: Operation, values: dict[int, Tensor]) -> Tensor:
        args = [values[arg] for arg in operation.args]
        match operation.op:
            case "matmul":
                is_row = len(self.operations[operation.args[1]].shape) == 1
                return F.linear(args[1], args[0]) if is_row else args[0] @ args[1]
            case "input":
                return self.sequence.xs
            case "weight":
                return self.weights[operation.name]
            case "constant":
                return self.sequence.xs.new_tensor(operation.value)
            case "noise":
                return self.sequence.noise[operation.name]
            case _:
                return COMPUTE[operation.op](*args)

    def _multiply(self, product: Product, values: dict[int, Tensor]) -> None:
        matrices = [values[index] for index in product.matrices]
        if product not in self.stacked:
            names = tuple(self.operations[index].name for index in product.matrices)
            self.stacked[product] = stack(self.weights, names, matrices)
        rows = F.linear(values[product.operand], self.stacked[product])
        parts = rows.split([len(matrix) for matrix in matrices], -1) if len(matrices) > 1 else [rows]
        values.update(zip(product.members, parts, strict=True))

    def _loop(self) -> dict[str, Tensor]:
        """Take all steps; what is needed after them is left among the values, stacked."""
        slots = [slot for slot in self.plan.program.slots if slot.name != "x"]
        state = {slot.field: self.sequence.state[slot.field] for slot in slots}
        fields = {(slot.name, slot.delay): slot.field for slot in slots}
        reads = {
            index: fields[op.name, op.delay]
            for index, op in enumerate(self.operations)
            if op.op == "state"
        }
        stages = self.plan.stages
        sliced = {i: v.unbind(0) for i, v in self.values.items() if stages[i] == "before"}
        fixed = {i: v for i, v in self.values.items() if stages[i] == "once"}
        collected: dict[int, list[Tensor]] = {index: [] for index in self._needed_after()}
        for t in range(self.steps if slots else 0):
            state = self._reset(state, t)
            values = fixed | {i: parts[t] for i, parts in sliced.items()}
            values |= {index: state[name] for index, name in reads.items()}
            self._compute_all("loop", values)
            for index, kept in collected.items():
                kept.append(values[index])
            state = self._advance(state, self._next(state, slots, values), t)
        for index, kept in collected.items():
            self.values[index] = torch.stack(kept) if kept else self._nothing(index)
        return state

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

    def _next(
        self, state: dict[str, Tensor], slots: list[Slot], values: dict[int, Tensor]
    ) -> dict[str, Tensor]:
        """The state after a step: new values, and each earlier one moved back by one."""
        new = {}
        for slot in slots:
            if slot.delay == 1:
                value = values[self.plan.program.indices[slot.name]]
                new[slot.field] = value.expand_as(state[slot.field])
            else:
                new[slot.field] = state[replace(slot, delay=slot.delay - 1).field]
        return new

    def _advance(
        self, old: dict[str, Tensor], new: dict[str, Tensor], t: int
    ) -> dict[str, Tensor]:
        """The new state where the step is real, else the old one."""
        if self.sequence.mask is None:
            return new
        real = self.sequence.mask[t][:, None]
        return {name: torch.where(real, new[name], old[name]) for name in old}

    def _reset(self, state: dict[str, Tensor], t: int) -> dict[str, Tensor]:
        if self.sequence.reset is None:
            return state
        anew = self.sequence.reset[t][:, None]
        first = self.sequence.first
        return {name: torch.where(anew, first[name], old) for name, old in state.items()}

    def _every_step(self, index: int) -> Tensor:
        value = self.values[index]
        if self.plan.stages[index] != "once":
            return value
        return value.expand(self.steps, self.batch, value.shape[-1] if value.ndim else 1)

    def _nothing(self, index: int) -> Tensor:
        """The value of no steps at all."""
        sizes = {**self.sequence.sizes, "": 1}
        size = (self.operations[index].shape or ("",))[0]
        return self.sequence.xs.new_zeros(0, self.batch, sizes[size])
