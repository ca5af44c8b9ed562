"""One step at a time: a whole stack of layers on the native machine, weights packed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock._native import Stepper
from penstock.engines.machine import Compiled, compiled
from penstock.engines.stages import Sequence as Inputs
from penstock.engines.stages import Stages
from penstock.engines.storage import Weights
from penstock.equations.lower import lower
from penstock.equations.plan import Plan
from penstock.equations.program import Slot

__all__ = ["Streamed", "streamed", "supports"]


def supports(plan: Plan) -> str:
    """Why a program does not stream this way; empty when it does."""
    if plan.program.noises:
        return "its random functions draw masks"
    if any(slot.name == "x" for slot in plan.program.slots):
        return "it reads earlier inputs"
    return ""


@dataclass(frozen=True)
class Streamed:
    """A layer ready to take steps.

    Attributes:
        stepper: the compiled step.
        slots: of the states it carries.
        widths: of the states.
        input_size: D.
        output_size: width of the output.
        kept: tensors the stepper reads by address.
    """

    stepper: Stepper
    slots: tuple[Slot, ...]
    widths: tuple[int, ...]
    input_size: int
    output_size: int
    kept: tuple[Tensor, ...]

    def step(self, x: Tensor, first: Sequence[int], last: Sequence[int]) -> Tensor:
        """Take a step: x (B, D) to y (B, output size); states are read and written by address."""
        y = x.new_empty(x.shape[0], self.output_size)
        self.stepper.step(
            x.shape[0], x.data_ptr(), self.input_size, first, last, y.data_ptr(), self.output_size
        )
        return y


@torch.no_grad()
def streamed(plan: Plan, weights: Weights, sizes: dict[str, int]) -> Streamed:
    """Prepare a layer to take steps with the weights as they are now."""
    output = plan.program.indices[plan.program.output]
    lowered = lower(plan, sizes, (output,), whole=True)
    made: Compiled = compiled(lowered.loop.to_text())
    nothing = weights.flat.new_zeros(0, 0, sizes["D"])
    stages = Stages(plan, weights, Inputs(nothing, sizes, {}), trace=())
    stages.compute(stages.items("once"), stages.values)
    vectors = [stages.values[index].reshape(-1).contiguous() for index in lowered.vectors]
    packed = made.pack([stages.stack(product)[0] for product in lowered.products])
    stepper = Stepper(
        made.machine,
        [vector.data_ptr() for vector in vectors],
        [panel.data_ptr() for panel in packed],
        weights.flat.dtype == torch.float64,
    )
    widths = tuple(state.width for state in lowered.loop.states)
    return Streamed(
        stepper, lowered.slots, widths, sizes["D"], made.output_widths[0], (*vectors, *packed)
    )
