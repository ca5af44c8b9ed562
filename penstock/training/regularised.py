"""A cell with the regularisers that settings ask for."""

from __future__ import annotations

from penstock.equations import Program, transform
from penstock.training.cell_settings import CellSettings

__all__ = ["regularised"]


def regularised(program: Program, settings: CellSettings) -> Program:
    """The cell with layer normalisation, dropouts and zoneout as the settings say."""
    if settings.layer_norm:
        program = transform.layer_normalised(program)
    if settings.weight_drop:
        program = transform.weight_drop(program, settings.weight_drop)
    if settings.recurrent_dropout:
        program = transform.recurrent_dropout(program, settings.recurrent_dropout)
    if settings.variational_input or settings.variational_state:
        program = transform.variational_dropout(
            program, inputs=settings.variational_input, states=settings.variational_state
        )
    if settings.zoneout:
        program = transform.zoneout(program, dict.fromkeys(program.states, settings.zoneout))
    return program
