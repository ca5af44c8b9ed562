"""What holds for every cell of the zoo: words, sizes, start values."""

from __future__ import annotations

import math
import re

import pytest
import torch

from penstock.cells import CELLS
from penstock.cells.highway import highway
from penstock.equations import parse
from penstock.layers.recurrent import Recurrent

D, H, P, R = 5, 20, 10, 5  # input, hidden, half of it (projection), a quarter of it (rank)
DH, HH = D * H, H * H
GATE = DH + HH + H

COUNTS = {
    "antisymmetric": GATE,
    "antisymmetric-gated": HH + 2 * (DH + H),
    "cfn": 2 * GATE + DH,
    "cornn": GATE + HH,
    "elman": GATE,
    "elman-orthogonal": GATE,
    "elman-relu": GATE,
    "elman-sigmoid": GATE - H,
    "fastgrnn": GATE + H + 2,
    "fastgrnn-low-rank": (H + D) * R + (H + H) * R + 2 * H + 2,
    "fastrnn": GATE + 2,
    "gated-update": 4 * GATE,
    "gru": 3 * GATE,
    "gru-cho": 3 * GATE,
    "gru-pytorch": 3 * GATE + H,
    "gru-reset-after": 3 * (DH + HH),
    "indrnn": DH + 2 * H,
    "intersection": 4 * GATE + DH,
    "irnn": GATE,
    "janet": 2 * GATE,
    "lem": 4 * GATE,
    "ligru": 2 * GATE,
    "linear-update": GATE,
    "lstm": 4 * GATE,
    "lstm-1997": 3 * GATE,
    "lstm-coupled": 3 * GATE,
    "lstm-forget-bias": 4 * GATE,
    "lstm-layernorm": 4 * GATE + 8 * H + 2 * H,
    "lstm-multiplicative": 5 * GATE - H,
    "lstm-peephole": 4 * GATE + 3 * H,
    "lstm-peephole-full": 4 * GATE + 3 * HH,
    "lstm-peephole-update": 4 * GATE + 4 * HH,
    "lstm-projection": 4 * (DH + H * P + H) + P * H,
    "lstm-projection-peephole": 4 * (DH + H * P + H) + P * H + 3 * H,
    "mgu": 2 * GATE,
    "mingru": 2 * (DH + H),
    "minlstm": 3 * (DH + H),
    "mut1": 3 * GATE - HH,
    "mut2": 3 * GATE,
    "mut3": 3 * GATE,
    "nas": 8 * (DH + HH),
    "qrnn": 3 * (2 * DH + H),
    "ran": 2 * GATE + DH,
    "rhn": 2 * DH + 2 * 3 * (HH + H),
    "scrn": 8 * D + 2 * 8 * H + DH + 2 * HH,
    "sru": 4 * DH + 4 * H,
    "star": GATE + DH + H,
    "t-gru": 3 * (2 * DH + H),
    "t-lstm": 3 * (2 * DH + H),
    "t-rnn": 2 * DH + H,
    "taugru": 4 * GATE,
    "ugrnn": 2 * GATE,
    "wmc-lstm": 4 * GATE + 3 * HH,
}
"""Parameters by cell, from the papers' equations (SCRN: 8 = 0.4 H context units)."""

cells = pytest.mark.parametrize("name", sorted(COUNTS))


def test_every_cell_is_counted():
    assert sorted(CELLS) == sorted(COUNTS)


@cells
def test_number_of_parameters(name):
    program = CELLS[name].program()
    sizes = program.resolve(D, H)
    total = sum(math.prod(sizes[size] for size in weight.shape) for weight in program.weights)
    assert total == COUNTS[name]


@cells
def test_every_line_says_what_it_computes(name):
    assert [line.name for line in CELLS[name].program().assignments if not line.comment] == []


@cells
def test_citation_names_a_year_or_a_lecture(name):
    cell = CELLS[name]
    assert cell.title().endswith(".")
    assert all(
        re.search(r"(19|20)\d\d$|^Lecture 00\d$", source)
        for source in cell.citation().rstrip(".").split("; ")
    )


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_highway_of_any_depth(depth):
    program = parse(highway(depth))
    names = {weight.name for weight in program.weights}
    assert len(names) == 2 + 4 * depth
    assert program.states == ("h",)


@pytest.mark.parametrize(
    ("name", "weight", "value"),
    [
        ("lstm-forget-bias", "b_f", 1.0),
        ("irnn", "b", 0.0),
        ("cfn", "b_i", -1.0),
        ("janet", "b_f", 1.0),
        ("ugrnn", "b_g", 1.0),
        ("rhn", "b_z3", -2.0),
        ("fastrnn", "alpha", -3.0),
        ("fastgrnn", "nu", -4.0),
        ("fastgrnn-low-rank", "b_n", 1.0),
        ("lstm-layernorm", "w_c", 1.0),
    ],
)
def test_start_value_is_the_papers(name, weight, value):
    start = Recurrent(name, D, H).weights()[weight]
    torch.testing.assert_close(start, torch.full_like(start, value))


def test_irnn_starts_by_copying():
    torch.testing.assert_close(Recurrent("irnn", D, H).weights()["U"], torch.eye(H))


def test_orthogonal_start_keeps_lengths():
    start = Recurrent("elman-orthogonal", D, H).weights()["U"]
    torch.testing.assert_close(start @ start.T, torch.eye(H), rtol=0, atol=1e-5)


def test_indrnn_starts_between_forgetting_and_keeping():
    start = Recurrent("indrnn", D, H).weights()["u"]
    assert 0 <= start.min() < 0.5 < start.max() <= 1
