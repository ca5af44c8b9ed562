"""The planned, batched engine against an interpreter that takes one number after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cells import CELLS
from penstock.engines import reference
from penstock.engines.noise import draw
from penstock.engines.reference import Sequence
from penstock.engines.storage import Layout, Weights
from penstock.equations import parse
from penstock.equations.chance import evaluation, training
from penstock.equations.plan import plan
from tests import naive
from tests.strategies import programs
from tests.tolerances import assert_close

SIZES = {"D": 2, "H": 3, "P": 4}


class Case:
    """A program with random weights, input, first state and masks, in float64."""

    def __init__(self, program, *, steps=5, batch=3, padding=False, resets=False):
        self.program = program
        self.sizes = program.resolve(SIZES["D"], SIZES["H"]) | SIZES
        self.plan = plan(program)
        self.layout = Layout(self.plan, self.sizes)
        self.flat = torch.randn(self.layout.size, dtype=torch.float64)
        self.xs = torch.randn(steps, batch, SIZES["D"], dtype=torch.float64)
        self.state, self.first = self.draw_state(), self.draw_state()
        self.mask = torch.rand(steps, batch) > 0.3 if padding else None
        self.reset = torch.rand(steps, batch) > 0.7 if resets else None
        self.noise = draw(program, self.sizes, steps, batch, self.xs)

    def draw_state(self):
        widths = {s.field: self.sizes[s.size[0]] if s.size else 1 for s in self.program.slots}
        batch = self.xs.shape[1]
        return {f: torch.randn(batch, n, dtype=torch.float64) for f, n in widths.items()}

    def run(self):
        sequence = Sequence(
            self.xs,
            self.sizes,
            self.state,
            first=self.first,
            mask=self.mask,
            reset=self.reset,
            noise=self.noise,
        )
        return reference.run(self.plan, Weights(self.layout, self.flat), sequence, trace=True)

    def expected(self, b):
        """The naive run of one sequence, padding left out, restarted at every reset."""
        weights = {name: w.numpy() for name, w in self.layout.views(self.flat).items()}
        state = {name: value[b].numpy() for name, value in self.state.items()}
        outputs, traces = {}, {}
        for t in range(len(self.xs)):
            if self.reset is not None and self.reset[t, b]:
                state = {name: value[b].numpy() for name, value in self.first.items()}
            if self.mask is None or self.mask[t, b]:
                x, noise = self.xs[t : t + 1, b].numpy(), self.noise_of(t, b)
                (outputs[t],), state, traces[t] = naive.run(self.program, weights, x, state, noise)
        return outputs, state, traces

    def noise_of(self, t, b):
        place = {"step": (slice(t, t + 1), b), "sequence": b, "weight": ...}
        return {n.name: self.noise[n.name][place[n.per]].numpy() for n in self.program.noises}

    def check(self):
        ys, state, traces = self.run()
        for b in range(self.xs.shape[1]):
            outputs, end, named = self.expected(b)
            for t in range(len(self.xs)):
                expected = outputs.get(t, np.zeros(ys.shape[-1]))
                assert_close(ys[t, b], torch.as_tensor(expected), "float64")
                for name, values in traces.items():
                    value = named[t][name][0] if t in named else np.zeros(values.shape[-1])
                    assert_close(values[t, b], torch.as_tensor(value).view(-1), "float64")
            for field, value in end.items():
                assert_close(state[field][b], torch.as_tensor(value), "float64")
        matrices = {a.name for a in self.program.assignments if self.rank(a) == 2}
        assert set(traces) == set(self.program.indices) - matrices

    def rank(self, line):
        return len(self.program.operations[line.index].shape)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_computes_its_operations(name):
    Case(CELLS[name].program()).check()


@given(programs(), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_random_program_computes_its_operations(program, padding, resets):
    Case(program, padding=padding, resets=resets).check()


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
    monkeypatch.setitem(reference.COMPUTE, op, broken)
    with pytest.raises(AssertionError):
        case.check()


@pytest.mark.parametrize("op", sorted(naive.COMPUTE.keys() - {"matmul"}))
def test_every_operation_of_the_language_is_computed(op):
    assert op in reference.COMPUTE


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
