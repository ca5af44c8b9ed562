"""A program written as text is the same program; LaTeX, MathML and graphs are well formed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from penstock.cells import CELLS
from penstock.equations import parse, render, transform
from penstock.equations.chance import evaluation
from penstock.equations.rewrite import canonical
from penstock.errors import ConfigError
from tests.strategies import programs

TRANSFORMS = {
    "as it is": lambda p: p,
    "layer_normalised": transform.layer_normalised,
    "layer_normalised twice": lambda p: transform.layer_normalised(transform.layer_normalised(p)),
    "variational_dropout": lambda p: transform.variational_dropout(p, inputs=0.25),
    "recurrent_dropout": lambda p: transform.recurrent_dropout(p, 0.25),
    "zoneout": lambda p: transform.zoneout(p, dict.fromkeys(p.states, 0.125)),
    "weight_drop": lambda p: transform.weight_drop(p, 0.5),
    "evaluation": evaluation,
}


def forms(program):
    """The program after each transform that finds something to act on, and after all of them."""
    everything = program
    for how in TRANSFORMS.values():
        try:
            yield how(program)
            everything = how(everything)
        except ConfigError:
            continue
    yield everything


def check_round_trip(program):
    text = render.text(program)
    again = parse(text, program.name)
    assert again == program, text
    assert render.text(again) == text


def check_mathematics(program):
    latex, rows = render.latex(program), ElementTree.fromstring(render.mathml(program))
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left(") == latex.count(r"\right)")
    assert len(rows[0]) == len(program.assignments) == latex.count(" &= ")
    assert not re.search(r"[^\\]_\w{2}", latex.replace(r"\_", "")), "a subscript without braces"


def check_graph(program):
    lines = render.graph(program).split("\n")
    nodes = [line for line in lines if re.fullmatch(r'  n\d+ \[label="[^"]+"\];', line)]
    arrows = [line for line in lines if re.fullmatch(r"  n\d+ -> n\d+;", line)]
    assert len(nodes) == len(program.operations)
    assert len(arrows) == sum(len(operation.args) for operation in program.operations)
    assert len(lines) == len(nodes) + len(arrows) + 3


@pytest.mark.parametrize("name", sorted(CELLS))
def test_cell_as_text_and_mathematics(name):
    for program in forms(CELLS[name].program()):
        check_round_trip(program)
        check_mathematics(program)
        check_graph(program)


@given(programs(random=True))
@settings(max_examples=100)
def test_random_program_as_text_and_mathematics(program):
    assert canonical(program) == program
    for each in forms(program):
        check_round_trip(each)
        check_mathematics(each)
        check_graph(each)


TEXTS = {
    "left to right": ("h = (a + b) - (c - d)", "h = a + b - (c - d)"),
    "division": ("h = a / (b / c) / d", "h = a / (b / c) / d"),
    "minus": ("h = -(a + b) * -c", "h = -(a + b) * -c"),
    "matrices": ("h = ((U - U.T).T @ V) @ (W @ x)", "h = (U - U.T).T @ V @ (W @ x)"),
    "numbers": ("h = 1e-08*a + 2.0*b + 1_000", "h = 1e-08 * a + 2 * b + 1000"),
    "delays": ("h = W @ x[t - 2] + h[t-1]", "h = W @ x[t-2] + h[t-1]"),
    "random": ("h = zoneout(dropout(b, 0.5), h[t-1], 0.1)",) * 2,
    "alias": ("a = b\nh = a + b", "a = b\nh = a + a"),
    "output": ("y=b\nreturn y", "y = b\nreturn y"),
    "sizes": ("h: P\nh = W @ x", "P: size = 1.0\nh: P\nW: (P, D)\nh = W @ x"),
    "start": ("U: (H, H) = orthogonal\nh = U @ b", "U: (H, H) = orthogonal\nh = U @ b"),
    "uniform": ("b: H = uniform(-.5, 1)\nh = b", "b: H = uniform(-0.5, 1)\nh = b"),
    "scalar state": ("h = b * s[t-1]\ns: scalar\ns = 2", "s: scalar\nh = b * s[t-1]\ns = 2"),
    "comment": ("h = b # why\ng = b + h", "h = b        # why\ng = h + h"),
}


@pytest.mark.parametrize(("before", "after"), TEXTS.values(), ids=TEXTS)
def test_text(before, after):
    assert render.text(parse(before)) == after
    check_round_trip(parse(before))


LATEX = {
    "lstm": [
        r"i_t &= \sigma\left(W_{i} x_t + U_{i} h_{t-1} + b_{i}\right)",
        r"c_t &= f_t \odot c_{t-1} + i_t \odot g_t",
        r"h_t &= o_t \odot \tanh\left(c_t\right)",
    ],
    "gru": [
        r"n_t &= \tanh\left(W_{n} x_t + U_{n} \left(r_t \odot h_{t-1}\right) + b_{n}\right)",
        r"h_t &= \left(1 - z_t\right) \odot h_{t-1} + z_t \odot n_t",
    ],
    "taugru": [r"d_t &= \tanh\left(W_{d} x_t + U_{d} h_{t-5} + b_{d}\right)"],
    "fastgrnn": [r"\sigma\left(\zeta\right) \, \left(1 - z_t\right) + \sigma\left(\nu\right)"],
    "rhn": [r"s^{(1)}_t &= z^{(1)}_t \odot g^{(1)}_t + \left(1 - z^{(1)}_t\right) \odot h_{t-1}"],
    "antisymmetric": [r"\gamma &= 0.01", r"\left(U - U^\top\right) h_{t-1} - \gamma \, h_{t-1}"],
    "lstm-1997": [r"4 \, \sigma\left(", r"2 \, \sigma\left(c_t\right) - 1"],
    "minlstm": [r"\frac{f_t \odot h_{t-1} + i_t \odot n_t}{f_t + i_t}"],
    "intersection": [r"y^{(\mathrm{in})}_t &= "],
}


@pytest.mark.parametrize("name", LATEX)
def test_latex_reads_as_a_paper(name):
    latex = render.latex(CELLS[name].program())
    for part in LATEX[name]:
        assert part in latex


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("h = b * 2", r"b \cdot 2"),
        ("h = 1e-08 * b", r"1 \cdot 10^{-8} \, b"),
        ("h = gate_2 + W1 @ x", r"\mathit{gate}_{2} + W_{1} x_t"),
        ("h = hard_sigmoid(b)", r"\mathrm{hard\_sigmoid}\left(b\right)"),
        ("h = dropout(b, 0.5)", r"\mathrm{dropout}\left(b, 0.5\right)"),
    ],
)
def test_latex_of(text, part):
    assert part in render.latex(parse(text))


def test_mathml_of_names():
    assert "<msub><mi>α</mi><mi>1</mi></msub>" in render.mathml(parse("h = alpha_1 * b"))


def test_graph_of_a_cell_with_quotes_in_its_name():
    assert render.graph(parse("h = b", 'a "b\\')).startswith('digraph "a \\"b\\\\" {')
