"""The layer's options, its messages, and cells written on the spot."""

from __future__ import annotations

import contextlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cells import CELLS, Cell
from penstock.equations import parse, transform
from penstock.errors import ConfigError, EquationError, PenstockError, ShapeError
from penstock.layers.recurrent import Recurrent
from penstock.layers.state import detached
from tests.strategies import programs
from tests.tolerances import assert_close

XS = torch.zeros(4, 2, 3)

CALLS = {
    "two axes": ({}, (XS[0],), {}, "expected xs of shape (T, B, D) with D = 3, got (2, 3)."),
    "width": ({}, (XS[..., :2],), {}, "with D = 3, got (4, 2, 2)."),
    "order": ({"batch_first": True}, (XS[0],), {}, "expected xs of shape (B, T, D)"),
    "type": ({}, (XS.double(),), {}, "expected xs of the weights' type torch.float32, got"),
    "ids": ({}, (XS.long(),), {}, "got torch.int64. Convert xs or the layer with .to(...)."),
    "one tensor": ({}, (XS, XS), {}, "expected a state of 2 tensors (h, c), got Tensor."),
    "number of tensors": ({}, (XS, (XS,)), {}, "expected a state of 2 tensors (h, c), got 1."),
    "no state": ({}, (XS, 5), {}, "expected a state of 2 tensors (h, c), got int."),
    "state shape": (
        {},
        (XS, (torch.zeros(1, 2, 5), torch.zeros(1, 2, 4))),
        {},
        "expected state.c of shape (1, 2, 5), got (1, 2, 4).",
    ),
    "state of layers": (
        {"hidden_size": [5, 6], "num_layers": 2},
        (XS, (torch.zeros(2, 2, 5), torch.zeros(2, 2, 5))),
        {},
        "expected state.h of shape [(2, 5), (2, 6)], got (2, 2, 5).",
    ),
    "long": ({}, (XS,), {"lengths": torch.tensor([5, 1])}, "from 0 to 4, got tensor([5, 1])."),
    "negative": ({}, (XS,), {"lengths": torch.tensor([-1, 1])}, "whole numbers from 0 to 4"),
    "number of lengths": ({}, (XS,), {"lengths": torch.tensor([1])}, "tensor of 2 whole numbers"),
    "list": ({}, (XS,), {"lengths": [4, 4]}, "lengths as a tensor of 2 whole numbers"),
    "share": ({}, (XS,), {"lengths": torch.tensor([0.5, 1])}, "lengths as a tensor of 2 whole"),
    "mask": ({}, (XS,), {"mask": torch.ones(2, 4).bool()}, "mask of shape (T, B) = (4, 2)"),
    "mask type": ({}, (XS,), {"mask": torch.ones(4, 2)}, "got (4, 2) of torch.float32."),
    "reset": (
        {"batch_first": True},
        (XS,),
        {"reset": torch.ones(2, 4).bool()},
        "expected reset of shape (B, T) = (4, 2) and type bool, got (2, 4) of torch.bool.",
    ),
}


@pytest.mark.parametrize(("options", "args", "more", "message"), CALLS.values(), ids=CALLS)
def test_tensor_that_does_not_fit(options, args, more, message):
    layer = Recurrent(**{"cell": "lstm", "input_size": 3, "hidden_size": 5} | options)
    with pytest.raises(ShapeError) as caught:
        layer(*args, **more)
    assert str(caught.value).startswith("Recurrent: expected ")
    assert message in str(caught.value)


OPTIONS = {
    "cell": ({"cell": "lstn"}, "Recurrent: unknown cell 'lstn'. Did you mean 'lstm'?"),
    "no cell": (
        {"cell": None},
        "expected cell as a name, equations, a Cell or a Program, got None",
    ),
    "input size": ({"input_size": 0}, "Recurrent: expected input_size >= 1, got input_size=0."),
    "hidden size": ({"hidden_size": -1}, "expected hidden_size >= 1, got hidden_size=-1."),
    "half a unit": ({"hidden_size": 2.5}, "expected hidden_size >= 1, got hidden_size=2.5."),
    "text": ({"hidden_size": "200"}, "expected hidden_size >= 1, got hidden_size='200'."),
    "sizes of layers": ({"hidden_size": [1, 2]}, "expected one hidden_size or 1, got hidden_size"),
    "true": ({"num_layers": True}, "expected num_layers >= 1, got num_layers=True."),
    "dropout": ({"dropout": 1.0}, "expected dropout in [0, 1), got dropout=1.0."),
    "text dropout": ({"dropout": "0.5"}, "expected dropout in [0, 1), got dropout=0.5."),
    "extra size": ({"sizes": {"P": 3}}, "lstm: unknown size 'P'. Extra sizes: none."),
    "engine": ({"engine": "nativ"}, "Recurrent: unknown engine 'nativ'."),
    "memory": ({"hidden_size": 10**9}, "expected sizes that fit in memory, got 4.0e+18 weights"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_option_that_cannot_work(options, message):
    with pytest.raises(ConfigError) as caught:
        Recurrent(**{"cell": "lstm", "input_size": 3, "hidden_size": 5} | options)
    assert message in str(caught.value)


def test_lengths_or_mask():
    layer, mask = Recurrent("gru", 3, 5), torch.ones(4, 2, dtype=torch.bool)
    with pytest.raises(ConfigError, match="give lengths or mask, not both"):
        layer(XS, lengths=torch.tensor([1, 1]), mask=mask)


def test_step_needs_one_direction():
    with pytest.raises(ConfigError, match="a bidirectional layer needs the whole sequence"):
        Recurrent("gru", 3, 5, bidirectional=True).step(XS[0])


def test_weights_of_a_layer_that_is_not_there():
    with pytest.raises(ConfigError, match="expected layer < 2 and direction < 1, got layer=2"):
        Recurrent("gru", 3, 5, 2).weights(2)


def test_cell_by_name_class_equations_and_program():
    class Mine(Cell):
        equations = "h = tanh(W @ x + U @ h[t-1] + b)"

    torch.manual_seed(0)
    expected = Recurrent("elman", 3, 5)(XS)[0]
    for cell in (CELLS["elman"], Mine, Mine.equations, parse(Mine.equations)):
        torch.manual_seed(0)
        assert_close(Recurrent(cell, 3, 5)(XS)[0], expected, "same bits")


def test_mistake_in_equations_given_to_the_layer():
    with pytest.raises(EquationError, match="Did you mean 'tanh'"):
        Recurrent("h = tahn(W @ x)", 3, 5)


WORDS = """
count index keys values items update pop get self training weight state forward
"""


@pytest.mark.parametrize("name", WORDS.split())
@pytest.mark.parametrize("learn_state", [False, True])
def test_states_may_have_any_name(name, learn_state):
    text = f"{name} = tanh(W @ x + {name}[t-2] + b)\nreturn {name}"
    layer = Recurrent(text, 3, 5, learn_state=learn_state)
    ys, state = layer(XS)
    assert state._fields == (name, f"{name}_2")
    assert_close(layer(XS, state)[0][0], layer.step(XS[0], state)[0], "same bits")
    assert_close(getattr(detached(state), name)[0], ys[-1], "same bits")
    assert set(layer.state_dict()) >= {"stack.0.flat"}


def test_state_of_one_field_may_be_a_tensor():
    layer, state = Recurrent("elman", 3, 5), torch.randn(1, 2, 5)
    assert_close(layer(XS, state)[0], layer(XS, (state,))[0], "same bits")


def test_cell_without_state():
    ys, state = Recurrent("h = tanh(W @ x)", 3, 5, 2, bidirectional=True)(XS)
    assert tuple(state) == ()
    assert ys.shape == (4, 2, 10)


def test_cell_of_constants():
    text = "s: scalar\ns = 2\nc = b\nh = s[t-1] * c[t-1]"
    ys, state, (trace,) = Recurrent(text, 3, 5)(XS, trace=True)
    assert not ys[0].any()
    assert tuple(trace["s"].shape) == (4, 2, 1)
    assert tuple(state.c.shape) == (1, 2, 5)


def test_dropout_between_layers_only_in_training():
    layer = Recurrent("elman", 3, 50, 2, dropout=0.5)
    assert not torch.equal(layer(XS)[0], layer(XS)[0])
    assert_close(layer.eval()(XS)[0], layer(XS)[0], "same bits")
    one = Recurrent("elman", 3, 50, dropout=0.5)
    assert_close(one(XS)[0], one(XS)[0], "same bits")


def test_same_seed_same_bits():
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        layer = Recurrent(transform.weight_drop(CELLS["lstm"].program(), 0.5), 3, 5, 2, dropout=0.5)
        ys, _ = layer(torch.randn(4, 2, 3))
        ys.sum().backward()
        runs.append((ys.detach(), layer.stack[0].flat.grad))
    for first, second in zip(*runs, strict=True):
        assert_close(first, second, "same bits")


def test_start_values():
    torch.manual_seed(1)
    text = "a: scalar = 2\nU: (H, H) = orthogonal\nh = a * tanh(W @ x + U @ h[t-1] + b)"
    layer = Recurrent(text, 3, 400)
    weights = layer.weights()
    assert weights["a"].item() == 2.0
    assert weights["W"].abs().max() <= 1 / 20 < weights["W"].abs().max() * 1.01
    torch.testing.assert_close(weights["U"] @ weights["U"].T, torch.eye(400), atol=1e-4, rtol=0)
    before = layer.stack[0].flat.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.stack[0].flat)


def test_extra_sizes():
    layer = Recurrent("lstm-projection", 3, 8, sizes={"P": 6})
    assert layer(XS)[0].shape == (4, 2, 6)
    assert Recurrent("lstm-projection", 3, 8)(XS)[0].shape == (4, 2, 4)


def test_gradient_by_name_is_zero_before_there_is_one():
    layer = Recurrent("gru", 3, 5)
    assert not any(gradient.any() for gradient in layer.weights(grad=True).values())


def test_plan_says_what_was_picked_and_why():
    plan = Recurrent("lstm", 3, 5, 2, bidirectional=True).plan().split("\n")
    assert plan[0] == "layer 0: engine native (the fastest engine that runs this cell)"
    assert plan[3].startswith("layer 1 backward: engine native")
    assert "in every step: 1 product [U_i U_f U_o U_g] @ h[t-1] (4H x H)" in plan[-2]
    assert plan[-1].startswith("native: a step is 1 phase forward and 2 phases back")


def test_plan_says_how_single_steps_are_taken():
    assert Recurrent("lstm", 3, 5).plan().endswith("single steps: compiled, packed once")
    assert Recurrent("qrnn", 3, 5).plan().endswith("because it reads earlier inputs")
    reference = Recurrent("lstm", 3, 5, engine="reference").plan()
    assert reference.endswith("by a sequence of one, because the engine is reference")


def test_repr_tells_cell_and_sizes():
    assert "lstm, 3 -> 5, 6, bidirectional" in repr(
        Recurrent("lstm", 3, [5, 6], 2, bidirectional=1)
    )


@given(programs(random=True), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_random_cell_in_a_layer(program, bidirectional, learn_state):
    """Steps are the sequence and padding changes nothing, whatever the equations."""
    options = {"bidirectional": bidirectional, "learn_state": learn_state}
    layer = Recurrent(program, 3, 4, 2, **options).double().eval()
    xs = torch.randn(4, 2, 3, dtype=torch.float64)
    ys, _ = layer(xs, lengths=torch.tensor([4, 2]))
    assert_close(ys[:2, 1:], layer(xs[:2, 1:])[0], "float64")
    if not bidirectional:
        outputs, state = [], None
        for x in xs:
            y, state = layer.step(x, state)
            outputs.append(y)
        assert_close(torch.stack(outputs), layer(xs)[0], "float64")
    ys, _ = layer.train()(xs)
    assert ys.isfinite().all()
    if ys.requires_grad:
        ys.sum().backward()


@given(st.lists(st.sampled_from(["lstm", "gru", 3, 0, -1, None, 2.5, True, "h = x"]), min_size=3))
@settings(max_examples=100)
def test_wrong_arguments_raise_nothing_foreign(args):
    with contextlib.suppress(PenstockError):
        Recurrent(*args[:4])
