"""The planned, batched engine against an interpreter that takes one number after another."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cells import CELLS
from penstock.engines import stages
from penstock.engines.noise import draw
from penstock.equations import parse
from penstock.equations.chance import evaluation, training
from tests import naive
from tests.engines.case import SIZES, Case
from tests.strategies import programs
from tests.tolerances import assert_close


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_computes_its_operations(name):
    Case(CELLS[name].program()).check()


@given(programs(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_random_program_computes_its_operations(program, padding, resets, reverse):
    Case(program, padding=padding, resets=resets, reverse=reverse).check()


@given(programs(random=True), st.booleans())
@settings(max_examples=100)
def test_random_program_with_masks_of_noise(program, padding):
    Case(training(program), padding=padding).check()
    Case(evaluation(program), padding=padding).check()


@given(programs(), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_gradients_of_random_program(program, padding, resets):
    case = Case(program, steps=3, batch=2, padding=padding, resets=resets)

    def run(flat, xs, *state):
        case.flat, case.xs = flat, xs
        case.state = dict(zip(case.state, state, strict=True))
        ys, end, _ = case.run()
        return ys, *end.values()

    leaves = [case.flat, case.xs, *case.state.values()]
    inputs = [leaf.clone().requires_grad_() for leaf in leaves]
    torch.autograd.gradcheck(run, inputs, fast_mode=True, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("op", "broken"),
    [("tanh", torch.sigmoid), ("add", torch.sub), ("mul", torch.add), ("sigmoid", torch.tanh)],
)
def test_a_broken_kernel_is_noticed(op, broken, monkeypatch):
    case = Case(CELLS["lstm"].program())
    case.check()
    monkeypatch.setitem(stages.COMPUTE, op, broken)
    with pytest.raises(AssertionError):
        case.check()


@pytest.mark.parametrize("op", sorted(naive.COMPUTE.keys() - {"matmul"}))
def test_every_operation_of_the_language_is_computed(op):
    assert op in stages.COMPUTE


def test_no_steps():
    case = Case(parse("s: scalar\ns = mean(x[t-1])\nh = tanh(W @ x + U @ h[t-2] + s)"), steps=0)
    ys, state, traces = case.run()
    assert ys.shape == (0, 3, 3)
    assert traces["s"].shape == (0, 3, 1)
    for field, value in state.items():
        assert_close(value, case.state[field], "same bits")


def test_named_matrix_is_no_trace():
    case = Case(parse("A = U - U.T\nh = tanh(W @ x + A @ h[t-1])"))
    assert sorted(case.run()[2]) == ["h"]


def test_noise_has_the_shape_of_what_it_masks():
    text = """
    s: scalar
    s = dropout(mean(x), 0.5)
    h = step_dropout(weight_drop(W, 0.5) @ dropout(x, 0.5), 0.5) + s
    """
    program = training(parse(text))
    masks = draw(program, SIZES, 7, 5, torch.zeros(()))
    shapes = {noise.per: set() for noise in program.noises}
    for noise in program.noises:
        shapes[noise.per].add(tuple(masks[noise.name].shape))
    assert shapes == {"sequence": {(5, 1), (5, 2)}, "step": {(7, 5, 3)}, "weight": {(3, 2)}}
    assert all(set(mask.unique().tolist()) <= {0.0, 1.0} for mask in masks.values())


def test_noise_keeps_the_right_share():
    program = training(parse("h = step_dropout(W @ x, 0.3)"))
    (mask,) = draw(program, {"D": 1, "H": 200}, 20, 10, torch.zeros(())).values()
    assert_close(mask.mean(), torch.tensor(0.7), "frequency")
