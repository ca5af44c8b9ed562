"""Any text gives a Program or an EquationError: no other exception, no warning."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cells import CELLS
from penstock.equations import Program, parse, render
from penstock.equations.functions import FUNCTIONS
from penstock.equations.plan import plan
from penstock.errors import EquationError
from penstock.layers.state import state_type

NAMES = "x h c W U b t alpha h_2 P D H scalar size identity uniform return if ｉｆ π"
SIGNS = "= == := + - * / @ ** // % & | ~ ^ < > ! ( ) [ ] { } , . : ; # ' \" \\ ` ? $"
TOKENS = [
    *FUNCTIONS,
    *NAMES.split(),
    *SIGNS.split(),
    *[
        "h[t-1]",
        "c[t-1]",
        "h[t-2]",
        "h[t-0]",
        "x[t-1]",
        ".T",
        "W @ x",
        "U @ h[t-1]",
        "h = ",
        "c = ",
    ],
    *["0", "1", "0.5", "1e999", "10" * 30, "1j", "0x1f", "1_0", "'a'", 'f"{x}"', "b''", "..."],
    *["\n", "\n", "\n    ", "\t", "\r", "\r\n", "\f", "\v", "\0", "\x1a", "\u2028", "\ufeff"],
    *["\\\n", "lambda x: ", " if x else ", "not ", "await ", "yield ", "**x", "import os", "pass"],
]
CELL_TEXTS = [cell.equations for cell in CELLS.values()]


@st.composite
def mutations(draw) -> str:
    """Equations of a cell with a few pieces cut, doubled or replaced."""
    text = draw(st.sampled_from(CELL_TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.integers(0, 6)))
        piece = draw(st.sampled_from([*TOKENS, text[begin:end] * 2]) | st.text(max_size=3))
        text = text[:begin] + piece + text[end:]
    return text


SOURCES = {
    "any text": st.text(st.characters(codec=None)),
    "tokens": st.lists(st.sampled_from(TOKENS), max_size=30).map(" ".join),
    "tokens without spaces": st.lists(st.sampled_from(TOKENS), max_size=30).map("".join),
    "changed cells": mutations(),
}
SHARES = {"any text": 2000, "tokens": 3000, "tokens without spaces": 2000, "changed cells": 3000}


def check(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            program = parse(text, "fuzz")
        except EquationError:
            return
    assert isinstance(program, Program)
    hash(program)
    assert parse(render.text(program), "fuzz") == program
    assert plan(program).program.slots == program.slots
    state_type(tuple(slot.field for slot in program.slots))
    ElementTree.fromstring(render.mathml(program))


@pytest.mark.parametrize("source", SOURCES)
def test_any_text_gives_a_program_or_an_equation_error(source):
    settings(max_examples=SHARES[source])(given(SOURCES[source])(check))()


@pytest.mark.long
@pytest.mark.parametrize("source", SOURCES)
def test_many_more_texts(source):
    settings(max_examples=100 * SHARES[source], derandomize=False)(given(SOURCES[source])(check))()


@pytest.mark.parametrize("depth", [10, 50, 90, 99, 101, 200, 500, 1000, 3000, 20_000, 200_000])
@pytest.mark.parametrize(
    "form", ["-{}", "({})", "tanh({})", "b + {}", "b + ({})", "W @ ({})", "[{}]", "{}.T", "{} + b"]
)
def test_nested_text(form, depth):
    before, after = form.split("{}")
    check("h = " + before * depth + "b" + after * depth)
