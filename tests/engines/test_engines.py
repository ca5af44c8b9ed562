"""Every engine against the reference, from one table: outputs, last states, every gradient."""

from __future__ import annotations

import pytest
import torch

from penstock.cells import CELLS
from penstock.engines.choose import ENGINES
from penstock.equations.plan import plan
from tests.engines.case import Case, assert_same, small

TABLE = [
    pytest.param(engine, name, id=f"{engine.name}-{name}")
    for engine in ENGINES.values()
    for name in sorted(CELLS)
    if engine.name != "reference"
    and not engine.supports(plan(CELLS[name].program()), torch.ones(1))
]
every_cell = pytest.mark.parametrize(("engine", "name"), TABLE)
every_engine = pytest.mark.parametrize(
    "engine", [engine for engine in ENGINES.values() if engine.name != "reference"], ids=str
)
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

SEQUENCES = {
    "plain": {},
    "reverse": {"reverse": True},
    "lengths": {"padding": "at the end"},
    "lengths, reverse": {"padding": "at the end", "reverse": True},
    "gaps": {"padding": True},
    "resets": {"resets": True},
    "gaps, resets": {"padding": True, "resets": True},
    "gaps, resets, reverse": {"padding": True, "resets": True, "reverse": True},
}


def compare(engine, case, kind="float64"):
    """The engine agrees with the reference, or refuses."""
    if not engine.accepts(case.plan, case.sequence(), ()):
        assert_same(case, engine, kind)
    else:
        assert engine.name == "torch"
        assert case.reset is not None or case.mask is not None or case.program.sizes


@every_cell
@pytest.mark.parametrize("options", SEQUENCES.values(), ids=SEQUENCES)
def test_every_cell(engine, name, options):
    compare(engine, Case(CELLS[name].program(), **options))


@every_cell
@pytest.mark.parametrize(
    ("hidden", "batch", "steps"), [(1, 1, 1), (7, 3, 2), (16, 33, 2), (17, 1, 101), (200, 3, 2)]
)
def test_every_cell_of_any_size_in_float32(engine, name, hidden, batch, steps):
    case = Case(CELLS[name].program(), hidden=hidden, batch=batch, steps=steps, dtype=torch.float32)
    compare(engine, small(case), "float32 of two engines")


NOTHING = [entry for entry in TABLE if entry.values[1] in ("lstm", "gru", "indrnn")]


@pytest.mark.parametrize(("engine", "name"), NOTHING)
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (4, 0), (0, 0)])
@pytest.mark.parametrize("padding", [False, "at the end"])
def test_nothing_to_do(engine, name, steps, batch, padding):
    compare(engine, Case(CELLS[name].program(), steps=steps, batch=batch, padding=padding))


@pytest.mark.parametrize(("engine", "name"), NOTHING)
def test_all_padding(engine, name):
    case = Case(CELLS[name].program(), padding=True)
    case.mask = torch.zeros_like(case.mask)
    compare(engine, case)
