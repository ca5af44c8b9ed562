"""Regularisers by value: what they compute in training, in expectation, and when they refuse."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import layer_norm

from penstock.cells import CELLS
from penstock.engines.noise import kept
from penstock.equations import chance, parse, transform
from penstock.equations.rewrite import is_random
from penstock.errors import ConfigError
from penstock.layers.recurrent import Recurrent
from tests.tolerances import assert_close

ELMAN = parse("h = tanh(W @ x + U @ h[t-1] + b)", "elman")
LSTM = CELLS["lstm"].program()
T, B, D, H = 6, 4, 3, 5


def run(program, *, train=True, steps=T, batch=B):
    """Layer, input, outputs, end and trace of a random float64 layer."""
    layer = Recurrent(program, D, H).double().train(train)
    xs = torch.randn(steps, batch, D, dtype=torch.float64)
    start = {s.field: torch.randn(1, batch, H, dtype=torch.float64) for s in program.slots}
    with torch.no_grad():
        ys, end, (trace,) = layer(xs, tuple(start.values()), trace=True)
    return layer, xs, start, ys, end, trace


def earlier(values, start):
    """A state's values one step ago."""
    return torch.cat([start, values[:-1]])


def test_layer_normalised_by_hand():
    program = transform.layer_normalised(ELMAN)
    assert [w.name for w in program.weights] == ["gain_W", "W", "gain_U", "U", "b"]
    layer, xs, start, ys, _, _ = run(program)
    w = layer.weights()
    assert_close(w["gain_U"], torch.ones(H, dtype=torch.float64), "same bits")
    with torch.no_grad():
        w["gain_U"].normal_()
        w["gain_W"].normal_()
        ys, _ = layer(xs, (start["h"],))
    h = start["h"][0]
    for x, y in zip(xs, ys, strict=True):
        products = layer_norm(x @ w["W"].T, (H,)), layer_norm(h @ w["U"].T, (H,))
        h = torch.tanh(w["gain_W"] * products[0] + w["gain_U"] * products[1] + w["b"])
        assert_close(y, h, "float64")


def test_layer_normalised_again_has_gains_of_its_own():
    twice = transform.layer_normalised(transform.layer_normalised(ELMAN))
    assert {"gain_W", "gain_W_2", "gain_U", "gain_U_2"} < {w.name for w in twice.weights}


def test_variational_dropout_keeps_one_mask_for_all_steps():
    program = transform.variational_dropout(LSTM, inputs=0.5, states=0.25)
    layer, xs, start, ys, _, trace = run(program)
    masks = {
        "x": trace["dropout_x"] / xs,
        "h": trace["dropout_h"] / earlier(ys, start["h"]),
    }
    for name, scale in (("x", 1 / 0.5), ("h", 1 / 0.75)):
        mask = masks[name]
        assert_close(mask, mask[:1].expand_as(mask), "float64")
        kept = torch.isclose(mask, torch.tensor(scale, dtype=mask.dtype))
        assert bool((kept | (mask == 0)).all())
        assert bool(kept.any())
        assert not bool(kept.all())
        assert not bool((kept[0, :1] == kept[0]).all()), "every sequence has a mask of its own"
    w = layer.weights()
    h = masks["h"] * earlier(ys, start["h"])
    f = torch.sigmoid((masks["x"] * xs) @ w["W_f"].T + h @ w["U_f"].T + w["b_f"])
    assert_close(trace["f"], f, "float64")
    c = f * earlier(trace["c"], start["c"]) + trace["i"] * trace["g"]
    assert_close(trace["c"], c, "float64")


def test_variational_dropout_reaches_a_gated_state():
    program = transform.variational_dropout(CELLS["gru"].program(), states=0.5)
    _, _, start, ys, _, trace = run(program)
    h = earlier(ys, start["h"])
    assert bool((trace["dropout_h"] == 0).any())
    kept = trace["z"] * trace["n"] + (1 - trace["z"]) * h
    assert_close(ys, kept, "float64")


def test_recurrent_dropout_draws_a_mask_each_step_on_the_update():
    program = transform.recurrent_dropout(LSTM, 0.5)
    layer, xs, start, ys, _, trace = run(program)
    w = layer.weights()
    g = torch.tanh(xs @ w["W_g"].T + earlier(ys, start["h"]) @ w["U_g"].T + w["b_g"])
    mask = trace["g"] / g
    kept = torch.isclose(mask, torch.tensor(2.0, dtype=mask.dtype))
    assert bool((kept | (mask == 0)).all())
    assert not bool((kept[:1] == kept).all()), "every step has a mask of its own"
    c = trace["f"] * earlier(trace["c"], start["c"]) + trace["i"] * trace["g"]
    assert_close(trace["c"], c, "float64")


def test_recurrent_dropout_of_chosen_values():
    program = transform.recurrent_dropout(LSTM, 0.5, names=["o"])
    *_, trace = run(program)
    assert bool((trace["o"] == 0).any())
    assert not bool((trace["g"] == 0).any())


def test_zoneout_keeps_the_earlier_value_with_its_frequency():
    program = transform.zoneout(LSTM, {"c": 0.25, "h": 0.5})
    _, _, start, ys, _, trace = run(program, steps=40, batch=200)
    for name, rate in (("c", 0.25), ("h", 0.5)):
        values = trace[name]
        kept = values == earlier(values, start[name])
        assert_close(kept.double().mean(), torch.tensor(rate, dtype=torch.float64), "frequency")
    old = earlier(trace["c"], start["c"])
    new = trace["f"] * old + trace["i"] * trace["g"]
    kept = trace["c"] == old
    assert_close(trace["c"], torch.where(kept, old, new), "float64")
    h = torch.where(ys == earlier(ys, start["h"]), ys, trace["o"] * torch.tanh(new))
    assert_close(ys, h, "float64")


def test_zoneout_in_evaluation_is_the_expectation():
    program = transform.zoneout(ELMAN, {"h": 0.25})
    layer, xs, start, ys, _, _ = run(program, train=False)
    w, h = layer.weights(), start["h"][0]
    for x, y in zip(xs, ys, strict=True):
        h = 0.25 * h + 0.75 * torch.tanh(x @ w["W"].T + h @ w["U"].T + w["b"])
        assert_close(y, h, "float64")


def test_weight_drop_has_one_mask_for_all_steps_and_sequences():
    program = transform.weight_drop(ELMAN, 0.5)
    layer, xs, start, *_ = run(program)
    with torch.no_grad():
        torch.manual_seed(3)
        ys, _ = layer(xs, (start["h"],))
        torch.manual_seed(3)
        mask = kept((H, H), 0.5, ys)
    w, h = layer.weights(), start["h"][0]
    for x, y in zip(xs, ys, strict=True):
        h = torch.tanh(x @ w["W"].T + h @ (w["U"] * mask * 2).T + w["b"])
        assert_close(y, h, "float64")


def test_weight_drop_reaches_only_matrices_inside_the_loop():
    program = transform.weight_drop(LSTM, 0.5)
    dropped = {
        program.operations[op.args[0]].name for op in program.operations if op.op == "weight_drop"
    }
    assert dropped == {"U_i", "U_f", "U_o", "U_g"}


def test_weight_drop_of_a_shared_matrix_is_one_mask():
    program = transform.weight_drop(CELLS["antisymmetric"].program(), 0.5)
    assert [op.op for op in program.operations].count("weight_drop") == 1
    assert "weight_drop_U" in program.indices


def regularised(program):
    """The program after every transform that finds something to act on."""
    steps = [
        transform.layer_normalised,
        lambda p: transform.weight_drop(p, 0.5),
        lambda p: transform.recurrent_dropout(p, 0.25),
        lambda p: transform.variational_dropout(p, inputs=0.5),
        lambda p: transform.variational_dropout(p, states=0.5),
        lambda p: transform.zoneout(p, dict.fromkeys(p.states, 0.25)),
    ]
    for step in steps:
        try:
            program = step(program)
        except ConfigError:
            continue
    return program


@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_regularised(name):
    program = regularised(CELLS[name].program())
    assert chance.evaluation(program).noises == ()
    assert not any(is_random(op) for op in chance.evaluation(program).operations)
    assert not any(is_random(op) for op in chance.training(program).operations)
    assert len(chance.training(program).noises) == sum(map(is_random, program.operations)) > 0
    # Where all of a row is dropped, normalising it twice multiplies a gradient by 10^5 each step.
    layer = Recurrent(program, D, H).double()
    xs = torch.randn(T, B, D, dtype=torch.float64)
    assert not torch.equal(layer(xs)[0], layer(xs)[0])
    layer(xs)[0].sum().backward()
    assert all(bool(g.isfinite().all()) for g in layer.weights(grad=True).values())
    layer.eval()
    assert_close(layer(xs)[0], layer(xs)[0], "same bits")


@pytest.mark.parametrize(
    "how",
    [
        lambda p: transform.variational_dropout(p, inputs=0.5, states=0.5),
        lambda p: transform.recurrent_dropout(p, 0.5),
        lambda p: transform.weight_drop(p, 0.5),
    ],
)
def test_dropout_in_evaluation_is_the_cell_itself(how):
    program = CELLS["gru"].program()
    plain, dropped = Recurrent(program, D, H), Recurrent(how(program), D, H)
    dropped.load_state_dict(plain.state_dict())
    xs = torch.randn(T, B, D)
    assert_close(dropped.eval()(xs)[0], plain(xs)[0], "same bits")


def test_no_dropout_asked_for_changes_nothing():
    assert transform.variational_dropout(LSTM) == LSTM
    assert transform.zoneout(LSTM, {"c": 0.0}) == LSTM


ERRORS = {
    "probability": (
        lambda: transform.weight_drop(LSTM, 1.0),
        "weight_drop: expected probability from 0 up to 1, got probability=1.0.",
    ),
    "text": (
        lambda: transform.recurrent_dropout(LSTM, "0.5"),
        "recurrent_dropout: expected probability from 0 up to 1, got probability='0.5'.",
    ),
    "inputs": (
        lambda: transform.variational_dropout(LSTM, inputs=-1),
        "variational_dropout: expected inputs from 0 up to 1, got inputs=-1.",
    ),
    "no recurrent product": (
        lambda: transform.variational_dropout(CELLS["indrnn"].program(), states=0.5),
        "variational_dropout: indrnn multiplies no matrix by an earlier state.",
    ),
    "no product in the loop": (
        lambda: transform.weight_drop(CELLS["sru"].program(), 0.5),
        "weight_drop: sru multiplies no matrix inside the loop.",
    ),
    "no update": (
        lambda: transform.recurrent_dropout(ELMAN, 0.5),
        "recurrent_dropout: elman has no named update of the state. Give names=[...] from h.",
    ),
    "unknown value": (
        lambda: transform.recurrent_dropout(LSTM, 0.5, names=["gg"]),
        "recurrent_dropout: unknown vector 'gg'. Did you mean 'g'?",
    ),
    "no vector": (
        lambda: transform.recurrent_dropout(parse("A = U * 2\nh = A @ b"), 0.5, names=["A"]),
        "recurrent_dropout: unknown vector 'A'. Known: h.",
    ),
    "state": (
        lambda: transform.zoneout(LSTM, {"cc": 0.5}),
        "zoneout: unknown state 'cc'. Did you mean 'c'?",
    ),
    "zoneout rate": (
        lambda: transform.zoneout(LSTM, {"c": 2}),
        "zoneout: expected c from 0 up to 1, got c=2.",
    ),
    "matrix": (
        lambda: transform.weight_drop(LSTM, 0.5, names=["b_f"]),
        "weight_drop: unknown matrix 'b_f'.",
    ),
}


@pytest.mark.parametrize(("apply", "message"), ERRORS.values(), ids=ERRORS)
def test_refusal(apply, message):
    with pytest.raises(ConfigError) as caught:
        apply()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.with_sizes({"Q": 3}), "cell: unknown size 'Q'. Extra sizes: P."),
        (lambda p: p.with_sizes({"P": 0}), "cell: expected size P as a share of H such as 0.5"),
        (lambda p: p.with_sizes({"P": "8"}), "cell: expected size P as a share of H such as 0.5"),
        (lambda p: p.with_initial({"V": 1}), "cell: initial value for 'V', which is no weight."),
        (lambda p: p.with_initial({"W": "zero"}), "cell: expected a number, identity, orthogonal"),
        (lambda p: p.with_initial({"b": "identity"}), "cell: only a matrix can start as identity"),
        (lambda p: p.with_initial({"b": ("uniform", 1, 0)}), "cell: expected low <= high"),
        (lambda p: p.with_initial({"b": float("nan")}), "cell: expected a number"),
    ],
)
def test_sizes_and_start_values_are_checked(change, message):
    with pytest.raises(ConfigError) as caught:
        change(parse("h: P\nh = W @ x + b"))
    assert str(caught.value).startswith(message)
