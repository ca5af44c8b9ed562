"""The native engine: the time loop in one call of compiled code, on the CPU.

What runs before and after the loop stays in PyTorch.  With padding, only the real tokens are
computed at all, before, in and after the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from penstock.engines import operator, reference
from penstock.engines.differentiate import Again, run_loop
from penstock.engines.machine import ISA, TYPES, Order, compiled
from penstock.engines.modes import is_recorded, is_transformed, wants_gradient
from penstock.engines.precision import FIXED, FULL
from penstock.engines.stages import Sequence, Stages
from penstock.engines.storage import Weights
from penstock.equations.attention import find_attention, refusal
from penstock.equations.lower import Lowered, Source, lower, members
from penstock.equations.plan import Plan, Product
from penstock.equations.program import SOURCE, Operation, Slot
from penstock.errors import ConfigError

__all__ = ["describe", "prepare", "run", "supports"]

_A_BATCH = 16
"""Rows for which products are described."""


def supports(plan: Plan, flat: Tensor) -> str:
    """Why the engine cannot run a program; empty when it can."""
    if reason := refusal(plan):
        return reason
    if flat.device.type != "cpu":
        return f"it runs on the CPU, and the weights are on {flat.device.type}"
    if flat.dtype not in TYPES:
        return f"it computes in float32 or float64, and the weights are {flat.dtype}"
    return ""


def run(
    plan: Plan, weights: Weights, sequence: Sequence, *, trace: Collection[str] = ()
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Run a program over a sequence; see :func:`penstock.engines.reference.run`.

    The reference engine computes what is traced of an attention's inside, its energies, and what
    ``torch.func`` transforms.
    """
    if is_transformed():
        return reference.run(plan, weights, sequence, trace=trace)
    operations, indices = plan.program.operations, plan.program.indices
    found = find_attention(plan)
    if found and any(
        operations[indices[name]].shape == (SOURCE,) and indices[name] != found.alignment
        for name in trace
    ):
        return reference.run(plan, weights, sequence, trace=trace)
    return _Run(plan, weights, sequence, trace).run()


@dataclass(frozen=True)
class _Recipe:
    """What a run of a plan does, apart from its numbers.

    Attributes:
        lowered: the loop.
        text: of the loop.
        items: for each stage what PyTorch is to compute.
    """

    lowered: Lowered
    text: str
    items: dict[str, tuple[Source, ...]]


def describe(plan: Plan, sizes: Mapping[str, int]) -> str:
    """How the machine takes a step, in words."""
    output = plan.program.indices[plan.program.output]
    made = compiled(_recipe(plan, sizes, (output,), False).text)
    ways = [found.phases for found in (made.assembly, made.way_back.assembly)]
    forward, back = (f"{count} phase{'s' * (count > 1)}" for count in ways)
    apart = " (units apart, threads never meet)" if made.assembly.apart else ""
    is_fixed = made.way(FULL, torch.float32, _A_BATCH) == FIXED
    tiles = ", float32 of a batch as whole numbers on tile registers" if is_fixed else ""
    return (
        f"native: a step is {forward} forward and {back} back{apart}, instruction set {ISA}"
        f"{tiles}; second derivatives and torch.func: reference"
    )


def prepare(plan: Plan, sizes: Mapping[str, int]) -> None:
    """Work out beforehand what a plain run needs, so that ``torch.compile`` finds it ready."""
    output = plan.program.indices[plan.program.output]
    for resets in (False, True):
        _recipe(plan, sizes, (output,), resets)


def _recipe(plan: Plan, sizes: Mapping[str, int], kept: tuple[int, ...], resets: bool) -> _Recipe:
    sizes = {name: size for name, size in sizes.items() if name != SOURCE}
    key = (tuple(sizes.items()), kept, resets)
    if key not in plan.notes:
        if torch.compiler.is_compiling():
            raise ConfigError(
                "Recurrent: torch.compile finds nothing prepared for these traces. Run the layer "
                "once with the same trace before it is compiled."
            )
        plan.notes[key] = _worked_out(plan, sizes, kept, resets)
    found: _Recipe = plan.notes[key]
    return found


def _worked_out(
    plan: Plan, sizes: Mapping[str, int], kept: tuple[int, ...], resets: bool
) -> _Recipe:
    lowered = lower(plan, sizes, kept, resets=resets)
    outside = _outside(plan, lowered, kept)
    matrices = _only_matrices(plan, lowered)
    items = {
        stage: tuple(
            item
            for item in plan.schedule[stage]
            if (stage == "once" or not outside.isdisjoint(members(item))) and item not in matrices
        )
        for stage in ("once", "before", "after")
    }
    return _Recipe(lowered, lowered.loop.to_text(), items)


def _only_matrices(plan: Plan, lowered: Lowered) -> set[int]:
    """Weights that are read as matrices of products, and nowhere else."""
    operations, products = plan.program.operations, set(plan.product_of.values())
    read = {
        arg
        for index, operation in enumerate(operations)
        if index not in plan.product_of
        for arg in operation.args
    }
    matrices = {index for product in products for index in product.matrices}
    weights = {index for index in matrices if operations[index].op == "weight"}
    return weights - read - set(lowered.vectors)


def _outside(plan: Plan, lowered: Lowered, kept: tuple[int, ...]) -> set[int]:
    """Operations before or after the loop that are needed."""
    open_items = [index for index in kept if not lowered.inside[index]]
    open_items += [member for source in lowered.tokens for member in members(source)]
    found: set[int] = set()
    while open_items:
        index = open_items.pop()
        if index not in found and not lowered.inside[index]:
            found.add(index)
            open_items.extend(plan.program.operations[index].args)
    return found


class _Real:
    """The real tokens of a padded batch, one step after another."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        steps, self.rows = mask.nonzero(as_tuple=True)
        self.places = steps * mask.shape[1] + self.rows
        counts = mask.sum(1)
        self.offsets = F.pad(counts.cumsum(0), (1, 0))

    def pack(self, values: Tensor) -> Tensor:
        """(T, B, size) to (N, size)."""
        return values.reshape(-1, values.shape[-1]).index_select(0, self.places)

    def unpack(self, values: Tensor) -> Tensor:
        """(N, size) to (T, B, size), zero where there is no token."""
        padded = values.new_zeros(self.mask.numel(), values.shape[-1])
        return padded.index_copy_(0, self.places, values).view(*self.mask.shape, values.shape[1])

    def resets(self, reset: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
        """Whether a state starts anew since the token before, (N,), and after the last, (B,)."""
        turned = [0] if reverse else []
        times = reset.flip(turned).long().cumsum(0)
        seen = (times * self.mask.flip(turned)).cummax(0).values
        before = torch.cat([torch.zeros_like(seen[:1]), seen[:-1]])
        return (times > before).flip(turned)[self.mask], times[-1] > seen[-1]


def _again(
    plan: Plan,
    weights: Weights,
    sequence: Sequence,
    lowered: Lowered,
    real: _Real | None,
) -> Again:
    """The loop's outputs and last states by the reference engine.

    The graph of the outputs keeps what this refers to alive: inputs only, never an output.
    """
    state, first = sequence.state, sequence.first
    layout, precision = weights.layout, weights.precision
    fields = [slot.field for slot in lowered.slots]

    def run(leaves: Iterable[Tensor]) -> list[Tensor]:
        xs, flat, *rest = leaves
        memory = sequence.memory
        if memory is not None:
            memory = replace(memory, values=rest.pop())
        inputs = replace(
            sequence,
            xs=xs,
            memory=memory,
            state=dict(zip(state, rest, strict=False)),
            first=dict(zip(first, rest[len(state) :], strict=True)),
        )
        values, end = reference.values(plan, Weights(layout, flat, precision), inputs, lowered.kept)
        outputs = [values[index] for index in lowered.kept]
        if real is not None:
            outputs = [real.pack(output) for output in outputs]
        return [*(o.reshape(-1, o.shape[-1]) for o in outputs), *(end[f] for f in fields)]

    of_source = [] if sequence.memory is None else [sequence.memory.values]
    return Again([sequence.xs, weights.flat, *state.values(), *first.values(), *of_source], run)


class _Run(Stages):
    """One run with the loop in compiled code; with padding, values are (N, size)."""

    def __init__(
        self, plan: Plan, weights: Weights, sequence: Sequence, trace: Collection[str]
    ) -> None:
        remembers = any(slot.name == "x" for slot in plan.program.slots)
        super().__init__(plan, weights, sequence.padded if remembers else sequence, trace)
        self.recipe = _recipe(
            plan,
            sequence.sizes,
            tuple(self.kept.values()),
            sequence.reset is not None,
        )
        self.real = None if sequence.mask is None else _Real(sequence.mask)

    def take_inputs(self) -> dict[str, Tensor]:
        """Inputs among the values, without padding."""
        state = super().take_inputs()
        if self.real is not None:
            self.values = {index: self.real.pack(value) for index, value in self.values.items()}
        return state

    def items(self, stage: str) -> tuple[Source, ...]:
        """What is not in the loop."""
        return self.recipe.items[stage]

    def leaf(self, operation: Operation) -> Tensor:
        """The value of a weight, a noise or a constant."""
        value = super().leaf(operation)
        if operation.op == "noise" and operation.per == "step" and self.real is not None:
            return self.real.pack(value)
        return value

    def operand(self, arg: int, index: int, values: dict[int, Tensor]) -> Tensor:
        """The value of an operation as operand of another."""
        value = super().operand(arg, index, values)
        known = self.plan.per_sequence
        if self.real is not None and arg in known and index not in known:
            return value.index_select(0, self.real.rows)
        return value

    def source_mask(self, index: int) -> Tensor | None:
        """Which source words are none of the padding, as an operation's value is laid out."""
        mask = super().source_mask(index)
        if mask is None or self.real is None or index in self.plan.per_sequence:
            return mask
        return mask.index_select(0, self.real.rows)

    def loop(self) -> dict[str, Tensor]:
        """Take all steps in one call."""
        lowered = self.recipe.lowered
        order, pending = self._order()
        dtype = self.weights.flat.dtype
        groups = (
            [self._token(source) for source in lowered.tokens],
            [self._of_sequence(source) for source in lowered.sequences],
            [self._vector(index) for index in lowered.vectors],
            [self.stack(product)[0] for product in lowered.products],
            [self.sequence.state[slot.field] for slot in lowered.slots],
        )
        flat = [  # autocast made others
            tensor if tensor.dtype == dtype else tensor.to(dtype)
            for group in groups
            for tensor in group
        ]
        made = self._run_loop(flat, [len(group) for group in groups], order)
        count = len(lowered.kept)
        for index, value in zip(lowered.kept, made[:count], strict=True):
            shape = value.shape if self.real else (self.steps, self.batch, value.shape[1])
            self.values[index] = value.view(shape)
        last = made[len(made) - len(lowered.slots) :]
        state = {slot.field: value for slot, value in zip(lowered.slots, last, strict=True)}
        if pending is None:
            return state
        anew = pending[:, None]
        return {f: torch.where(anew, self.sequence.first[f], value) for f, value in state.items()}

    def _run_loop(self, flat: list[Tensor], sizes: list[int], order: Order) -> list[Tensor]:
        text, like = self.recipe.text, self.weights.flat.detach()
        if is_recorded(self.weights.flat, self.sequence.xs):
            return operator.loop(text, flat, sizes, like, *order.parts, wants_gradient(flat))
        again = _again(self.plan, self.weights, self.sequence, self.recipe.lowered, self.real)
        return run_loop(text, flat, sizes, order, like, again, self.weights)

    def every_step(self, index: int) -> Tensor:
        """The values (T, B, size) of an operation, zero where masked."""
        if self.real is None or self.plan.stages[index] == "once":
            return super().every_step(index)
        return self.real.unpack(self.values[index])

    def _order(self) -> tuple[Order, Tensor | None]:
        """The order of the tokens, and whose state starts anew after its last token."""
        reset, real = self.sequence.reset, self.real
        memory = self.sequence.memory
        words = None if memory is None else memory.words
        order = Order(self.steps, self.batch, self.sequence.reverse, words=words)
        if real is None:
            return replace(order, resets=None if reset is None else reset.reshape(-1)), None
        order = replace(order, offsets=real.offsets, rows=real.rows)
        if reset is None or not self.steps:
            return order, None
        resets, pending = real.resets(reset, order.reverse)
        return replace(order, resets=resets), pending

    def _token(self, source: Source) -> Tensor:
        value = self.joined[source] if isinstance(source, Product) else self.values[source]
        return value.reshape(-1, value.shape[-1])

    def _vector(self, index: int) -> Tensor:
        value = self.values[index]
        return value if value.ndim == 1 else value.reshape(-1)

    def _of_sequence(self, source: int | Slot | tuple[int, ...]) -> Tensor:
        if isinstance(source, Slot):
            return self.sequence.first[source.field]
        return self.values[source[0] if isinstance(source, tuple) else source]
