"""When each operation runs: once, before the loop, in every step, after it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from penstock.cells import CELLS
from penstock.equations import parse
from penstock.equations.chance import training
from penstock.equations.describe import describe
from penstock.equations.plan import STAGES, Product, plan
from penstock.equations.transform import weight_drop
from tests.strategies import programs

PER_STEP = {
    # Products that one step needs: as many as the paper's chain of dependent products.
    "antisymmetric": 1,
    "antisymmetric-gated": 1,
    "cfn": 1,
    "cornn": 2,  # of h and of v
    "elman": 1,
    "elman-orthogonal": 1,
    "elman-relu": 1,
    "elman-sigmoid": 1,
    "fastgrnn": 1,
    "fastgrnn-low-rank": 2,
    "fastrnn": 1,
    "gated-update": 2,
    "gru": 2,
    "gru-cho": 2,
    "gru-pytorch": 1,
    "gru-reset-after": 1,
    "indrnn": 0,
    "intersection": 1,
    "irnn": 1,
    "janet": 1,
    "lem": 2,  # of h and of the new z
    "ligru": 1,
    "linear-update": 1,
    "lstm": 1,
    "lstm-1997": 1,
    "lstm-coupled": 1,
    "lstm-forget-bias": 1,
    "lstm-layernorm": 1,
    "lstm-multiplicative": 2,
    "lstm-peephole": 1,
    "lstm-peephole-full": 3,  # of h, of the old c and of the new c
    "lstm-peephole-update": 2,
    "lstm-projection": 2,
    "lstm-projection-peephole": 2,
    "mgu": 2,
    "mingru": 0,
    "minlstm": 0,
    "mut1": 2,
    "mut2": 2,
    "mut3": 3,  # of h, of tanh(h) and of r * h
    "nas": 1,
    "qrnn": 0,
    "ran": 1,
    "rhn": 3,
    "scrn": 2,  # of h and of the context
    "sru": 0,
    "star": 1,
    "t-gru": 0,
    "t-lstm": 0,
    "t-rnn": 0,
    "taugru": 2,  # of h[t-1] and of h[t-5]
    "ugrnn": 1,
    "wmc-lstm": 3,
}


@pytest.mark.parametrize("name", sorted(CELLS))
def test_products_per_step(name):
    assert plan(CELLS[name].program()).products_per_step == PER_STEP[name]


def reads_a_state(program, index):
    return any(program.operations[i].op == "state" for i in program.ancestors([index]))


def check_schedule(made):
    """Everything runs exactly once and after what it reads; nothing waits without need."""
    operations = made.program.operations
    done: list[int] = []
    for stage in STAGES:
        for item in made.schedule[stage]:
            members = item.members if isinstance(item, Product) else (item,)
            needs = {arg for index in members for arg in operations[index].args}
            assert needs <= set(done)
            assert {made.stages[index] for index in members} == {stage}
            if isinstance(item, Product):
                pairs = zip(item.matrices, members, strict=True)
                assert all(operations[m].args == (a, item.operand) for a, m in pairs)
            done += members
    assert sorted(done) == list(range(len(operations)))
    needed = made.program.ancestors(made.program.indices[name] for name in made.program.states)
    for index, stage in enumerate(made.stages):
        if stage == "loop" and operations[index].op != "state":
            assert reads_a_state(made.program, index)
            assert index in needed


@pytest.mark.parametrize("name", sorted(CELLS))
def test_schedule_of_cell(name):
    made = plan(CELLS[name].program())
    check_schedule(made)
    check_schedule(plan(training(CELLS[name].program())))


@given(programs(random=True))
@settings(max_examples=200)
def test_schedule_of_random_program(program):
    check_schedule(plan(program))
    check_schedule(plan(training(program)))


def work(program, stage):
    """What runs in a stage, as a bag of operations."""
    made = plan(parse(program))
    return Counter(made.program.operations[i].op for i, s in enumerate(made.stages) if s == stage)


STAGE = {
    "input and bias leave the loop": (
        "h = tanh(U @ h[t-1] + b + W @ x)",
        "loop",
        {"state": 1, "matmul": 1, "add": 1, "tanh": 1},
    ),
    "so they do from brackets": (
        "h = tanh((b + U @ h[t-1]) + (W @ x + V @ x[t-1]))",
        "loop",
        {"state": 1, "matmul": 1, "add": 1, "tanh": 1},
    ),
    "a named sum stays as it is": (
        "a = U @ h[t-1] + b\nh = tanh(a + W @ x)",
        "loop",
        {"state": 1, "matmul": 1, "add": 2, "tanh": 1},
    ),
    "weights alone": ("h = (U - U.T) @ h[t-1]", "once", {"weight": 1, "transpose": 1, "sub": 1}),
    "gates of the input": ("h = sigmoid(W @ x) * h[t-1]", "loop", {"state": 1, "mul": 1}),
    "output that no state needs": (
        "s = tanh(W @ x + U @ s[t-1])\nh = sigmoid(V @ s)",
        "after",
        {"matmul": 1, "sigmoid": 1},
    ),
    "no state": ("h = tanh(W @ x + b)", "loop", {}),
    "a step's masks come before": ("h = step_dropout(x, 0.5) * b + U @ h[t-1]", "loop", None),
}


@pytest.mark.parametrize(("text", "stage", "expected"), STAGE.values(), ids=STAGE)
def test_stage(text, stage, expected):
    if expected is None:
        text, expected = "h: D\n" + text, {"state": 1, "matmul": 1, "add": 1}
    assert work(text, stage) == expected


def test_products_of_one_operand_are_one_and_stored_together():
    made = plan(CELLS["lstm"].program())
    assert made.layout[:8] == ("W_i", "W_f", "W_o", "W_g", "U_i", "U_f", "U_o", "U_g")


def test_regrouped_program_keeps_names_and_comments():
    program = CELLS["lstm"].program()
    made = plan(program).program
    assert [(a.name, a.comment) for a in made.assignments] == [
        (a.name, a.comment) for a in program.assignments
    ]


def test_description_says_what_runs_when():
    text = """
    h = tanh(W @ x + U @ h[t-1])
    y = V @ h + (A - A.T) @ W_y @ x + (U_p @ (b * h))
    return y
    """
    assert describe(plan(parse(text))).split("\n") == [
        "once, from the weights alone: 3 element-wise",
        "before the loop, for all steps at once: 1 product [W ...] @ x (2H x D)",
        "in every step: 1 product [U] @ h[t-1] (H x H); 2 element-wise",
        "after the loop, for all steps at once: 2 products [V] @ h (H x H), [U_p] @ (...) (H x H); "
        "3 element-wise",
    ]


def test_dropped_matrices_still_make_one_product():
    program = weight_drop(CELLS["lstm"].program(), 0.5)
    assert plan(training(program)).products_per_step == 1
