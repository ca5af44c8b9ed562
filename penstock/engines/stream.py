"""One step at a time: a whole stack of layers on the native machine, weights packed once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock._native import Stepper
from penstock.engines.attention import Annotations
from penstock.engines.machine import Compiled, compiled
from penstock.engines.stages import Sequence as Inputs
from penstock.engines.stages import Stages
from penstock.engines.storage import Weights
from penstock.equations.attention import folded, refusal
from penstock.equations.lower import lower
from penstock.equations.plan import Plan
from penstock.equations.plan import plan as planned
from penstock.equations.program import SOURCE, Slot

__all__ = ["Streamed", "streamed", "supports"]


def supports(plan: Plan) -> str:
    """Why a program does not stream this way; empty when it does."""
    if plan.program.noises:
        return "its random functions draw masks"
    if any(slot.name == "x" for slot in plan.program.slots):
        return "it reads earlier inputs"
    return refusal(_folded(plan), whole=True)


def _folded(plan: Plan) -> Plan:
    """The plan of a step of search: what is made of a source's words is made once for all steps."""
    if not plan.program.reads_memory:
        return plan
    if "folded" not in plan.notes:
        plan.notes["folded"] = planned(folded(plan.program))
    found: Plan = plan.notes["folded"]
    return found


@dataclass(frozen=True)
class Streamed:
    """A layer ready to take steps.

    Attributes:
        stepper: the compiled step.
        slots: of the states it carries.
        widths: of the states.
        input_size: D.
        output: name of the cell's output.
        outputs: names of all that a step gives; None: the alignment that no one asked for.
        output_widths: of these; 0: as many as the source has words.
        kept: tensors the stepper reads by address.
        annotated: what it reads of a source, made once for all steps.
    """

    stepper: Stepper
    slots: tuple[Slot, ...]
    widths: tuple[int, ...]
    input_size: int
    output: str
    outputs: tuple[str | None, ...]
    output_widths: tuple[int, ...]
    kept: tuple[Tensor, ...]
    annotated: Callable[[Annotations], list[Tensor]]

    @property
    def output_size(self) -> int:
        """Width of the cell's output."""
        return self.output_widths[self.outputs.index(self.output)]


@torch.no_grad()
@torch.autocast("cpu", enabled=False)
def streamed(
    plan: Plan, weights: Weights, sizes: Mapping[str, int], trace: Collection[str] = ()
) -> Streamed:
    """Prepare a layer to take steps with the weights as they are now."""
    plan = _folded(plan)
    indices = plan.program.indices
    names = {indices[name]: name for name in (*trace, plan.program.output)}
    lowered = lower(plan, sizes, names, whole=True)
    made: Compiled = compiled(lowered.loop.to_text())
    nothing = weights.flat.new_zeros(0, 0, sizes["D"])

    def before(memory: Annotations | None) -> Stages:
        of_all = sizes if memory is None else {**sizes, SOURCE: memory.values.shape[1]}
        stages = Stages(plan, weights, Inputs(nothing, of_all, {}, memory=memory), trace=())
        known = plan.per_sequence if memory is None else ()
        stages.compute([i for i in stages.items("once") if i not in known], stages.values)
        return stages

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)
    def annotated(memory: Annotations) -> list[Tensor]:
        values = before(memory).values
        sources = [s for s in lowered.sequences if not isinstance(s, Slot)]
        groups = [source if isinstance(source, tuple) else (source,) for source in sources]
        return [torch.cat([values[index] for index in group], -1) for group in groups]

    stages = before(None)
    vectors = [stages.values[index].reshape(-1).contiguous() for index in lowered.vectors]
    way = made.way(weights.precision, weights.flat.dtype)
    packed = made.pack([stages.stack(p)[0] for p in lowered.products], way)
    stepper = Stepper(
        made.machine,
        [vector.data_ptr() for vector in vectors],
        [panel.data_ptr() for panel in packed.tensors],
        packed.precision,
        weights.flat.dtype == torch.float64,
    )
    widths = tuple(state.width for state in lowered.loop.states)
    outputs = tuple(names.get(index) for index in lowered.kept)
    return Streamed(
        stepper,
        lowered.slots,
        widths,
        sizes["D"],
        plan.program.output,
        outputs,
        tuple(made.output_widths),
        (*vectors, *packed.tensors),
        annotated,
    )
