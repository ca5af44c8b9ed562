"""What every engine does with PyTorch: all of a program but its time loop."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.engines import attention
from penstock.engines.attention import Annotations
from penstock.engines.precision import rounded
from penstock.engines.product import linear
from penstock.engines.storage import Weights
from penstock.equations.plan import Plan, Product
from penstock.equations.program import SOURCE, Operation, Slot

__all__ = ["COMPUTE", "Memory", "Sequence", "Stages"]

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
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # F.hardsigmoid rounds its slope to float32
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
        xs: the input, (T, B, D); whatever stands in the padding, even NaN, reaches no gradient.
        sizes: every size by name.
        state: slot name to its value before the first step, (B, size).
        first: slot name to what a reset sets it to, (B, size).
        mask: (T, B), True = real; a step that is not leaves the state as it was.
        reset: (T, B), True = the state starts anew before this step.
        noise: noise name to its mask (see :func:`penstock.engines.noise.draw`).
        memory: what the program reads of a source.
        reverse: from the last step to the first.
    """

    xs: Tensor
    sizes: Mapping[str, int]
    state: dict[str, Tensor]
    first: dict[str, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None
    reset: Tensor | None = None
    noise: dict[str, Tensor] = field(default_factory=dict)
    memory: Annotations | None = None
    reverse: bool = False

    @property
    def padded(self) -> Sequence:
        """The same with zeros for padding."""
        if self.mask is None:
            return self
        return replace(self, xs=self.xs.masked_fill(~self.mask[..., None], 0))

    @property
    def order(self) -> range:
        """The steps, in the order in which they are taken."""
        steps = range(self.xs.shape[0])
        return steps[::-1] if self.reverse else steps

    def stacked(self, values: list[Tensor]) -> Tensor:
        """The values of all steps, collected as they were taken."""
        return torch.stack(values[::-1] if self.reverse else values)

    def nothing(self, size: int, weights: Weights) -> Tensor:
        """A value (T, B, size) where T or B is 0, which has a gradient of 0 to ask for."""
        empty = self.xs.new_zeros(*self.xs.shape[:2], size)
        return empty + 0 * (self.xs.sum() + weights.flat.sum())


class Memory:
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


class Stages:
    """One run: ``values`` holds each operation's value, for all steps or for this step.

    An engine adds :meth:`loop`.
    """

    def __init__(
        self, plan: Plan, weights: Weights, sequence: Sequence, trace: Collection[str]
    ) -> None:
        self.plan, self.weights, self.sequence = plan, weights, sequence
        self.program, self.operations = plan.program, plan.program.operations
        self.values: dict[int, Tensor] = {}
        self.joined: dict[Product, Tensor] = {}
        self.steps, self.batch = sequence.xs.shape[:2]
        self.kept = {
            name: index
            for name, index in self.program.indices.items()
            if name == self.program.output
            or (name in trace and len(self.operations[index].shape) < 2)
        }
        self.trace = trace

    def run(self) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Outputs, last state, and traces: see :func:`penstock.engines.reference.run`."""
        state = self.take_inputs()
        self.compute(self.items("once"), self.values)
        self.compute(self.items("before"), self.values)
        state |= self.loop()
        self.compute(self.items("after"), self.values)
        traces = {name: self.every_step(index) for name, index in self.kept.items()}
        output = traces[self.program.output]
        return output, state, {name: traces[name] for name in self.trace if name in traces}

    def loop(self) -> dict[str, Tensor]:
        """Take all steps: put what is needed after them among the values; give the last state."""
        raise NotImplementedError

    def take_inputs(self) -> dict[str, Tensor]:
        """Put inputs, earlier ones through masks and resets, among the values; give the last."""
        memory = Memory([slot for slot in self.program.slots if slot.name == "x"], self.sequence)
        seen: dict[str, list[Tensor]] = {name: [] for name in memory.values}
        for t in self.sequence.order if seen else ():
            for name, value in memory.begin(t).items():
                seen[name].append(value)
            memory.end(t, {"x": self.sequence.xs[t]})
        fields = {slot.delay: slot.field for slot in self.program.slots if slot.name == "x"}
        for index, operation in enumerate(self.operations):
            if operation.op == "input":
                kept = seen[fields[operation.delay]] if operation.delay else []
                stacked = self.sequence.stacked
                self.values[index] = stacked(kept) if kept else self.sequence.xs
        return memory.values

    def items(self, stage: str) -> tuple[int | Product, ...]:
        """What PyTorch is to compute in a stage."""
        return self.plan.schedule[stage]

    def compute(self, items: Iterable[int | Product], values: dict[int, Tensor]) -> None:
        """Add the values of operations to ``values``."""
        for item in items:
            if isinstance(item, Product):
                self.multiply(item, values)
            else:
                self.compute_one(item, values)

    def compute_one(self, index: int, values: dict[int, Tensor]) -> None:
        """Add the value of an operation to ``values``."""
        operation = self.operations[index]
        if operation.op in ("input", "state"):
            return
        args = [self.operand(arg, index, values) for arg in operation.args]
        shapes = [self.operations[arg].shape for arg in operation.args]
        match operation.op:
            case "softmax" if operation.shape == (SOURCE,):
                values[index] = attention.softmax(args[0], self.source_mask(index))
            case "matmul":
                ranks = len(shapes[0]), len(shapes[1])
                columns = shapes[0][1:] == (SOURCE,), shapes[1][1:] == (SOURCE,)
                values[index] = attention.matmul(args[0], args[1], ranks, columns)
            case "outer":
                values[index] = attention.outer(args[0], args[1])
            case "positions":
                values[index] = attention.positions(args[0], self.sequence.sizes[SOURCE])
            case op if op in COMPUTE:
                if operation.shape[1:] == (SOURCE,):
                    args = [attention.beside(a, len(s)) for a, s in zip(args, shapes, strict=True)]
                values[index] = COMPUTE[op](*args)
            case _:
                values[index] = self.leaf(operation)

    def source_mask(self, index: int) -> Tensor | None:
        """Which source words are none of the padding, as an operation's value is laid out."""
        del index
        return self.sequence.memory.mask if self.sequence.memory else None

    def operand(self, arg: int, index: int, values: dict[int, Tensor]) -> Tensor:
        """The value of an operation as operand of another."""
        del index
        return values[arg]

    def leaf(self, operation: Operation) -> Tensor:
        """The value of a weight, a noise, the memory or a constant."""
        if operation.op == "weight":
            return self.weights[operation.name]
        if operation.op == "noise":
            return self.sequence.noise[operation.name]
        if operation.op == "memory":
            assert self.sequence.memory is not None
            return self.sequence.memory.values
        return self.sequence.xs.new_tensor(operation.value)

    def multiply(self, product: Product, values: dict[int, Tensor]) -> None:
        """Add the values of products that run as one to ``values``."""
        matrix, heights = self.stack(product)
        rows = self.joined[product] = linear(
            values[product.operand], matrix, gathered=self.weights.gathered
        )
        parts = rows.split(heights, -1) if len(heights) > 1 else [rows]
        values.update(zip(product.members, parts, strict=True))

    def stack(self, product: Product) -> tuple[Tensor, list[int]]:
        """The matrices of joined products, stacked by rows, and the height of each."""

        def make() -> tuple[Tensor, list[int]]:
            operations = [self.operations[index] for index in product.matrices]
            whole = self.weights.stacked(tuple(operation.name for operation in operations))
            if whole is None:
                matrices = [
                    self.leaf(operation) if operation.op == "weight" else self.values[index]
                    for index, operation in zip(product.matrices, operations, strict=True)
                ]
                whole = torch.cat(matrices) if len(matrices) > 1 else matrices[0]
            heights = [self.sequence.sizes[operation.shape[0]] for operation in operations]
            return rounded(whole, self.weights.precision), heights

        found: tuple[Tensor, list[int]] = self.weights.keep(product, make)
        return found

    def every_step(self, index: int) -> Tensor:
        """The values (T, B, size) of an operation, zero where masked."""
        value = self.values[index]
        if self.plan.stages[index] == "once":
            value = self.batched(value).expand(self.steps, -1, -1)
        if self.sequence.mask is not None:
            value = value.masked_fill(~self.sequence.mask[..., None], 0)
        return value

    def batched(self, value: Tensor) -> Tensor:
        """A vector or scalar made of weights alone, the same for every sequence."""
        return value.expand(self.batch, value.shape[-1] if value.ndim else 1)
