"""The reference engine: PyTorch operations in a loop, gradients by autograd.

Any program, any device, any float type.  Slow and plainly right: the oracle
that every other engine is tested against.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from torch import Tensor

from penstock.engines.stages import Memory, Sequence, Stages
from penstock.engines.storage import Weights
from penstock.equations.plan import Plan

__all__ = ["run", "supports", "values"]


def supports(_: Plan, __: Tensor) -> str:
    """Why the engine cannot run a program; empty when it can."""
    return ""


def run(
    plan: Plan, weights: Weights, sequence: Sequence, *, trace: Collection[str] = ()
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Run a program over a sequence.

    Args:
        plan: the program with what runs when.
        weights: its weights.
        sequence: input, first state, masks.
        trace: names of values to give for every step; matrices are left out.

    Returns:
        Outputs (T, B, size); slot name to its value after the last step; name in ``trace`` to
        its values (T, B, size).  All are zero where masked.
    """
    return _Run(plan, weights, sequence, trace).run()


def values(
    plan: Plan, weights: Weights, sequence: Sequence, wanted: Collection[int]
) -> tuple[dict[int, Tensor], dict[str, Tensor]]:
    """Run, and give the values (T, B, size) of operations by position, and the last state."""
    made = _Run(plan, weights, sequence, (), wanted)
    _, state, _ = made.run()
    return {index: made.values[index] for index in wanted}, state


class _Run(Stages):
    """One run in a loop of PyTorch operations; values of ``wanted`` are there after it."""

    def __init__(
        self,
        plan: Plan,
        weights: Weights,
        sequence: Sequence,
        trace: Collection[str],
        wanted: Collection[int] = (),
    ) -> None:
        super().__init__(plan, weights, sequence.padded, trace)
        self.wanted = {*wanted, *self.kept.values()}

    def loop(self) -> dict[str, Tensor]:
        """One step after another, in PyTorch."""
        slots = [slot for slot in self.program.slots if slot.name != "x"]
        memory = Memory(slots, self.sequence)
        fields = {(slot.name, slot.delay): slot.field for slot in slots}
        reads = {
            index: fields[operation.name, operation.delay]
            for index, operation in enumerate(self.operations)
            if operation.op == "state"
        }
        states = {name: self.program.indices[name] for name in self.program.states}
        values = {i: v for i, v in self.values.items() if self.plan.stages[i] == "once"}
        values |= {i: self.batched(values[i]) for i in states.values() if i in values}
        sliced = {i: self.values[i].unbind(0) for i in self._read_by_loop(states.values())}
        collected: dict[int, list[Tensor]] = {index: [] for index in self._needed_after()}
        for t in self.sequence.order if slots else ():
            values |= {index: parts[t] for index, parts in sliced.items()}
            state = memory.begin(t)
            values |= {index: state[name] for index, name in reads.items()}
            self.compute(self.items("loop"), values)
            for index, kept in collected.items():
                kept.append(values[index])
            memory.end(t, {name: values[index] for name, index in states.items()})
        for index, kept in collected.items():
            self.values[index] = self.sequence.stacked(kept) if kept else self._nothing(index)
        return memory.values

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
        return sorted(i for i in read | self.wanted if stages[i] == "loop")

    def _nothing(self, index: int) -> Tensor:
        """The value of no steps at all."""
        sizes = {**self.sequence.sizes, "": 1}
        size = (self.operations[index].shape or ("",))[0]
        return self.sequence.nothing(sizes[size], self.weights)
