"""The native engine beyond the table of all engines: random programs, bits, errors, NaN."""

from __future__ import annotations

import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cells import CELLS
from penstock.engines import machine, native, reference
from penstock.equations import derivatives, parse
from penstock.equations.chance import evaluation, training
from penstock.layers.recurrent import Recurrent
from tests.engines.case import Case, assert_same, small
from tests.strategies import programs
from tests.tolerances import assert_close


@given(programs(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_random_program(program, padding, resets, reverse):
    assert_same(Case(program, padding=padding, resets=resets, reverse=reverse), native, trace=True)


@given(programs(random=True), st.booleans())
@settings(max_examples=60)
def test_random_program_with_masks_of_noise(program, padding):
    assert_same(Case(training(program), padding=padding), native)
    assert_same(Case(evaluation(program), padding=padding), native)


@pytest.mark.parametrize("name", sorted(CELLS.keys() - {"fastgrnn-low-rank"}))
def test_same_bits_from_run_to_run_and_for_any_number_of_threads(name):
    """Of the loop, that is: PyTorch's products of weights (low rank) may differ in a last bit."""
    case = small(Case(CELLS[name].program(), hidden=40, batch=30, dtype=torch.float32))
    runs = []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        runs.append(case.gradients(native))
    torch.set_num_threads(1)
    for other in runs[1:]:
        for value, expected in zip(other.values(), runs[0].values(), strict=True):
            assert_close(value, expected, "same bits")


@pytest.mark.parametrize(
    "text",
    [
        "z = sigmoid(W @ x + U @ h[t-1])\nh = z * h[t-1] + tanh(V @ x + E @ x[t-1] + F @ h[t-1])",
        "z = sigmoid(W @ x + U @ h[t-1])\nh = z * h[t-1] + tanh(V @ x + E @ softmax(x))",
        "c = tanh(C @ x)\nz = sigmoid(W @ x + U @ h[t-1])\nh = z * h[t-1] + tanh(V @ x + E @ c)",
        "h: D\nh = tanh(x + W @ x + U @ h[t-1])",
    ],
)
def test_gradients_that_lie_inside_others(text):
    assert_same(Case(parse(text)), native, "float64")


def test_a_number_that_all_units_read_is_the_same_for_every_thread():
    mean = parse("n: scalar\nh: D\nn = n[t-1] + 1\nh = h[t-1] + (x - h[t-1]) / n")
    case = Case(mean, hidden=512, steps=200, batch=16)
    case.state = {field: torch.zeros_like(value) for field, value in case.state.items()}
    expected, before = case.run(reference, trace=False)[0], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(3):
            assert_close(case.run(native, trace=False)[0], expected, "float64")
    finally:
        torch.set_num_threads(before)


def test_nan_stays_in_its_row():
    case = Case(CELLS["lstm"].program())
    case.xs[2, 1] = float("nan")
    ys, _, _ = case.run(native, trace=False)
    assert ys[2:, 1].isnan().all()
    assert not ys[:, [0, 2]].isnan().any()
    assert not ys[:2].isnan().any()


@pytest.mark.parametrize("name", ["elman", "lstm", "lstm-layernorm", "indrnn", "cornn"])
def test_infinite_input_gives_what_the_reference_gives(name):
    case = small(Case(CELLS[name].program(), dtype=torch.float32))
    case.xs[1] = float("inf")
    expected, actual = case.run(reference, trace=False)[0], case.run(native, trace=False)[0]
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "exp", "softplus", "silu", "gelu", "elu"])
def test_error_of_a_function_is_a_few_units_in_the_last_place(function):
    xs = torch.cat([torch.linspace(-20, 20, 100_001), torch.logspace(-30, 1.9, 20_000)])
    case = Case(parse(f"h: D\nh = {function}(x)"), hidden=1, steps=len(xs), batch=1)
    case.xs = xs.double().view(-1, 1, 1)
    expected = case.run(reference, trace=False)[0]
    case.xs, case.flat = case.xs.float(), case.flat.float()
    actual = case.run(native, trace=False)[0].double()
    error = (actual - expected).abs() / expected.abs().clamp(min=1e-30)
    known = expected.abs() > 1e-7 if function in ("silu", "gelu", "elu") else expected.abs() > 0
    if function == "gelu":  # 1 + erf loses all its digits far below 0, in PyTorch too
        error, known = (actual - expected).abs(), known & (expected.abs() < 10)
    assert error[known].max() < 6 * 2**-23


@pytest.mark.parametrize("op", sorted(derivatives.RULES))
def test_a_wrong_derivative_is_noticed(op, monkeypatch):
    """Every rule is needed: with the gradient doubled, the engines differ."""
    rule = derivatives.RULES[op]
    operands = "x, W @ x" if op in ("maximum", "minimum") else "W @ x"
    symbols = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    call = f"{op}({operands})" if op not in (*symbols, "neg") else f"-({operands})"
    if op in symbols:
        call = f"(W @ x) {symbols[op]} (2 + tanh(U @ h[t-1]))"
    if op in ("log", "sqrt"):
        call = f"{op}(1.5 + square(W @ x))"
    text = f"W: (D, D)\nU: (D, D)\nh: D\nh = tanh({call} + U @ h[t-1])"
    case = Case(parse(text), hidden=4)
    assert_same(case, native)

    def doubled(way, index, dy):
        return rule(way, index, way.apply("mul", dy, way.number(2.0)))

    monkeypatch.setitem(derivatives.RULES, op, doubled)
    machine.compiled.cache_clear()
    with pytest.raises(AssertionError):
        assert_same(case, native)
    machine.compiled.cache_clear()


@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "lstm-layernorm", "taugru", "sru"])
@pytest.mark.parametrize("padding", [False, True])
def test_second_derivatives(name, padding):
    case = Case(CELLS[name].program(), steps=3, batch=2, padding=padding, resets=padding)
    case.flat = case.flat * 0.5

    def run(flat, xs, *state):
        case.flat, case.xs = flat, xs
        case.state = dict(zip(case.state, state, strict=True))
        ys, end, _ = case.run(native, trace=False)
        return ys, *end.values()

    leaves = [leaf.requires_grad_() for leaf in (case.flat, case.xs, *case.state.values())]
    torch.autograd.gradgradcheck(run, leaves, fast_mode=True, rtol=1e-3, atol=1e-6)


def test_a_run_leaves_nothing_behind():
    """No output is kept alive by its own graph: that would be memory lost for good."""
    case = Case(CELLS["lstm"].program(), padding=True, resets=True)
    case.flat = case.flat.requires_grad_()
    ys, end, traces = case.run(native)
    known = [weakref.ref(tensor) for tensor in (ys, *end.values(), *traces.values())]
    del ys, end, traces
    assert not any(tensor() is not None for tensor in known)


def test_equations_deeper_than_pythons_recursion():
    lines = ["g0 = tanh(W @ x + U0 @ h[t-1])"]
    lines += [f"g{i} = tanh(U{i} @ g{i - 1})" for i in range(1, 400)]
    text = "\n".join([*lines, "h = g399"])
    layer, oracle = (Recurrent(text, 1, 1, engine=engine) for engine in ("native", "reference"))
    oracle.load_state_dict(layer.state_dict())
    xs = torch.randn(2, 1, 1)
    torch.testing.assert_close(layer(xs)[0], oracle(xs)[0])
