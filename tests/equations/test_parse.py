"""What the language accepts and what it says of a mistake."""

from __future__ import annotations

import pytest

from penstock.equations import parse
from penstock.equations.program import Slot
from penstock.errors import EquationError

ERRORS = {
    # Where the mark ¦ stands (and is taken out), the message must point.
    "syntax": ("h = tanh(W @ x +¦)", "syntax error: invalid syntax"),
    "bracket": ("h = tanh¦(W @ x", "syntax error: '(' was never closed"),
    "indentation": ("a = W @ x\n   ¦ h = a", "syntax error: unexpected indent"),
    "function": ("h = ¦sigmod(W @ x)", "unknown function 'sigmod'. Did you mean 'sigmoid'?"),
    "second line": ("a = W @ x\nh = ¦tan(a)", "unknown function 'tan'. Did you mean 'tanh'?"),
    "before assigned": ("h = tanh(¦c)\nc = W @ x", "'c' is read before it is assigned"),
    "itself": ("h = ¦h + W @ x", "Write h[t-1] for its value one step ago"),
    "never assigned": ("h = W @ x + ¦k[t-1]", "'k' is read at an earlier step but never assigned"),
    "near": ("cel = W @ x\nh = ¦cell[t-1]", "Did you mean 'cel'?"),
    "no output": ("¦g = W @ x", "the output 'h' is never assigned. Add a line 'h = ...'"),
    "no such output": ("h = W @ x\n¦return q", "the output 'q' is never assigned"),
    "scalar output": ("¦h = mean(W @ x)", "the output 'h' must be a vector"),
    "return twice": ("h = W @ x\n¦return h\nreturn h", "'return NAME' is the last line, once"),
    "return value": ("h = W @ x\n¦return h + h", "expected 'return NAME'"),
    "input shape": ("¦h = x + h[t-1]", "h (H,) takes the input's shape (D,)"),
    "declared": ("a: P\nb: H\nh = ¦a + b", "shape clash: a (P,) + b (H,)"),
    "inner": ("a: P\nU: (H, H)\nh = ¦U @ a", "shape clash: U (H, H) @ a (P,)"),
    "assigned shape": ("h: P\nU: (H, H)\n¦h = U @ h0", "shape clash: h (P,) = (H,)"),
    "both ways": ("h = ¦W @ x + W", "(?,) + W (?, D). 'W' is a weight matrix"),
    "both ways 2": ("h = ¦W * x + W @ x", "shape clash: W (?, ?) * x (D,)"),
    "not on the left": ("h = ¦w @ x", "'@' needs a weight matrix on its left, got w (?,)"),
    "matrix state": ("A = U - U.T\nh = ¦A[t-1] @ x", "'A' is a matrix"),
    "scaled by a value": (
        "c = mean(W @ x)\nh = (¦U * c) @ h[t-1]",
        "write s * (W @ v) instead of (s * W) @ v",
    ),
    "scalar product": ("h = ¦U @ mean(x)", "'@' needs a vector on its right, got a scalar"),
    "reduced scalar": ("h = ¦softmax(2) * b", "'softmax' needs a vector, got scalar"),
    "transposed vector": ("h = ¦x.T", "'.T' needs a weight matrix"),
    "attribute": ("h = ¦x.shape", "'.shape' is not part of the language"),
    "scalar state": ("h = W @ x * s[t-1]\n¦s = mean(h)", "Declare 's: scalar' if it is one number"),
    "reserved input": ("¦x = W @ x\nh = x", "'x' is reserved: it is the input"),
    "reserved step": ("h = ¦t * b", "'t' is reserved: it is the step"),
    "reserved function": ("¦tanh = W @ x", "'tanh' is reserved: it is a function"),
    "reserved word": ("¦ｉｆ = W @ x\nh = b", "'if' is reserved: it is a word of Python"),
    "underscore": ("¦_h = W @ x\nh = b", "'_h' is reserved: names do not start with '_'"),
    "assigned twice": ("h = W @ x\n¦h = b", "'h' is assigned twice"),
    "two targets": ("¦h, c = W @ x", "expected one name on the left of '='"),
    "chained": ("¦h = c = W @ x", "expected one name on the left of '='"),
    "augmented": ("¦h += W @ x", "expected 'name = expression'"),
    "statement": ("¦import os\nh = W @ x", "expected 'name = expression'"),
    "power": ("h = ¦x ** 2", "the operators are + - * / and @; for a power use square(...)"),
    "not": ("h = ¦not x", "the only operator before one value is '-'"),
    "comparison": ("h = ¦x > 0", "a comparison is not part of the language"),
    "condition": ("h = ¦x if x else b", "'if'/'else' is not part of the language"),
    "text": ("h = x + ¦'a'", "expected a number"),
    "truth": ("h = x + ¦True", "expected a number"),
    "imaginary": ("h = x + ¦1j", "expected a number"),
    "huge": ("h = ¦1e999 * b", "the number is too large"),
    "huge whole": ("h = ¦" + "9" * 400 + " * b", "the number is too large"),
    "huge named": ("g = ¦1e999\nh = g * b", "the number is too large"),
    "arguments": ("h = ¦tanh(b, b)", "'tanh' takes 1 value, got 2"),
    "by name": ("h = ¦tanh(b, eps=1)", "'tanh' takes 1 value, got one by name"),
    "no probability": ("h = ¦dropout(b)", "'dropout' takes 1 value and a probability, got 1"),
    "probability": ("h = dropout(b, ¦1.5)", "expected a probability from 0 up to 1, got 1.5"),
    "negative": ("h = dropout(b, ¦-0.5)", "expected a probability from 0 up to 1, got -0.5"),
    "dropped matrix": ("h = ¦dropout(W, 0.5) @ x", "'dropout' needs a vector or a scalar, got W"),
    "dropped vector": ("h = ¦weight_drop(b, 0.5)", "'weight_drop' needs a weight matrix, got b"),
    "call": ("h = ¦x.T(x)", "only functions of the language can be called"),
    "no delay": ("h = ¦h[t-0]", "expected a step from [t-1] to [t-1000]"),
    "future": ("h = ¦h[t+1]", "expected a step from [t-1] to [t-1000]"),
    "long ago": ("h = ¦h[t-1001]", "expected a step from [t-1] to [t-1000]"),
    "this step": ("h = ¦h[t]", "this step's value is written 'h', without [t]"),
    "delayed value": ("h = ¦(x + b)[t-1]", "only a name can be read at an earlier step"),
    "state field": ("h = h[t-2] + b\n¦h_2 = h_2[t-1]", "'h_2' is also the name of an earlier 'h'"),
    "input field": ("¦x_2 = x_2[t-1] + b\nh = W @ x[t-2] + x_2", "name of an earlier 'x'"),
    "declared shape": ("h: ¦3\nh = W @ x", "expected a shape: 'scalar', 'H' or '(H, D)'"),
    "cube": ("h: ¦(H, H, H)\nh = W @ x", "expected a shape"),
    "declared target": ("¦h[0]: H\nh = W @ x", "expected 'name: shape'"),
    "declared twice": ("h: H\n¦h: H\nh = W @ x", "'h' is declared twice"),
    "size twice": ("h: P\nP: size\n¦P: size\nh = W @ x", "'P' is declared twice"),
    "unused": ("¦k: H\nh = W @ x", "'k' is declared but never used"),
    "unused size": ("¦P: size = 4\nh = W @ x", "'P' is declared but never used"),
    "own size": ("¦D: size = 4\nh = W @ x", "a capital letter, other than D, H and S"),
    "small size": ("h: P\n¦p: size = 4\nh = W @ x", "an extra size has a name with a capital"),
    "no size": ("h: P\nP: size = ¦0\nh = W @ x", "expected a share of H such as 0.5"),
    "text size": ("h: P\nP: size = ¦many\nh = W @ x", "expected a number"),
    "start": ("U: (H, H) = ¦unit\nh = U @ b", "expected a start value: a number, identity"),
    "start of text": ("b: H = ¦'a'\nh = b", "expected a number"),
    "huge start": ("b: H = ¦1e999\nh = b", "the number is too large"),
    "identity vector": ("¦b: H = identity\nh = b", "only a matrix can start as identity"),
    "uniform": ("¦b: H = uniform(1, -1)\nh = b", "expected low <= high"),
    "start of a value": ("¦h: H = 1\nh = W @ x", "only a weight has a start value"),
    "after tabs": ("\ta = W @ x\n\th = ¦a ** 2", "the operators are"),
    "after unicode": ("h = σ_1 + ¦sigmod(b)", "unknown function 'sigmod'"),
    "after form feed": ("h = b +\f ¦sigmod(b)", "unknown function 'sigmod'"),
    "after line ends": ("a = b\r\nc = b\rh = ¦q(a)", "unknown function 'q'"),
    "several lines": ("h = tanh(W @ x +\n    ¦k[t-1])", "'k' is read at an earlier step"),
    "nested": ("h = " + "-" * 100 + "¦b", "nested too deeply; give a part of it a name"),
}


@pytest.mark.parametrize(("text", "reason"), ERRORS.values(), ids=ERRORS)
def test_mistake_is_named_and_pointed_at(text, reason):
    place = text.replace("\r\n", "\n").replace("\r", "\n").split("¦")[0].expandtabs(4)
    column = len(place.split("\n")[-1]) + 1
    indented = text.startswith("\t")
    with pytest.raises(EquationError) as caught:
        parse(text.replace("¦", ""), "my cell")
    error = caught.value
    assert reason in error.reason
    assert (error.line, error.column) == (place.count("\n") + 1, column - 4 * indented)
    head, source, caret = str(error).split("\n")[:3]
    assert head == f"my cell: line {error.line}, column {error.column}: {error.reason}"
    assert caret == " " * (4 + error.column - 1) + "^"
    assert "\t" not in source


WHOLE = {
    "empty": ("", "the equations are empty. Write at least 'h = ...'."),
    "blank": (" \n\t\n", "the equations are empty. Write at least 'h = ...'."),
    "comment": ("# h = x", "the equations hold only comments. Write at least 'h = ...'."),
    "null": ("h = b\0", "null bytes"),
    "surrogate": ("h = b  # \ud800", "surrogates not allowed"),
    "deep": ("h = " + "(" * 5000 + "b" + ")" * 5000, "nested"),
    "long": ("h = b" + " + b" * 5000, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "reason"), WHOLE.values(), ids=WHOLE)
def test_mistake_of_the_whole_text(text, reason):
    with pytest.raises(EquationError, match=r"^my cell: ") as caught:
        parse(text, "my cell")
    assert reason in str(caught.value)


def test_all_mistakes_are_told_in_order():
    text = """
    k: H
    i = sigmod(W @ x)
    j = foo(i) + i
    h = i + q[t-1] * j
    """
    with pytest.raises(EquationError) as caught:
        parse(text, "mine")
    heads = [line for line in str(caught.value).split("\n") if line.startswith("mine:")]
    assert [head.split(":")[1] for head in heads] == [
        " line 1, column 1",
        " line 2, column 5",
        " line 3, column 5",
        " line 4, column 9",
    ]
    assert caught.value.line == 1


SHAPES = {
    "inferred": ("h = tanh(W @ x + U @ h[t-1] + b)", {"W": "HD", "U": "HH", "b": "H"}),
    "transposed": ("h = (U - U.T) @ h[t-1] + W @ x", {"U": "HH", "W": "HD"}),
    "product": ("h = (A @ B) @ h[t-1]", {"A": "HH", "B": "HH"}),
    "low rank": ("A: (H, R)\nh = A @ (B @ x)", {"A": "HR", "B": "RD"}),
    "scalar": ("a: scalar\nh = a * b", {"a": "", "b": "H"}),
    "input vector": ("h = W @ (w * x)", {"W": "HD", "w": "D"}),
    "projection": ("h: P\nc = W @ x + U @ h[t-1]\nh = V @ c", {"W": "HD", "U": "HP", "V": "PH"}),
    "matrix in lower case": ("u: (H, D)\nh = u @ x", {"u": "HD"}),
    "vector in capitals": ("B: H\nh = W @ x + B", {"W": "HD", "B": "H"}),
    "as wide as the input": ("h: D\nh = x + U @ h[t-1]", {"U": "DD"}),
    "one matrix twice": ("h = U @ (U @ h[t-1])", {"U": "HH"}),
    "element-wise": ("h = (A * tanh(B) + 1) @ x", {"A": "HD", "B": "HD"}),
    "of a reduced weight": ("h = (mean(b) * A) @ x", {"b": "H", "A": "HD"}),
}


@pytest.mark.parametrize(("text", "shapes"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_weights(text, shapes):
    assert {w.name: "".join(w.shape) for w in parse(text).weights} == shapes


STATES = {
    "earlier states and inputs": ("h = W @ x[t-2] + h[t-3]", "h h_2 h_3 x x_2"),
    "output first": ("c = c[t-1] + W @ x\nh = tanh(c) * h[t-1]", "h c"),
    "output that is no state": ("c = c[t-1] + W @ x\ny = tanh(c)\nreturn y", "c"),
    "read after it is assigned": ("c = W @ x\nh = c + c[t-1]", "c"),
    "none": ("h = W @ x", ""),
    "methods of a tuple": ("count = count[t-1] + b\nindex = index[t-1]\nh = count", "count index"),
    "words of the layer": ("keys = keys[t-1] + b\nh = keys + self[t-1]\nself = h", "keys self"),
    "unicode": ("ｈ = 名[t-1] + b\n名 = ℎ", "名"),
}


@pytest.mark.parametrize(("text", "fields"), STATES.values(), ids=STATES)
def test_what_a_step_remembers(text, fields):
    assert [slot.field for slot in parse(text).slots] == fields.split()


def test_state_of_a_scalar_and_of_an_extra_size():
    program = parse("s: scalar\nh: P\ns = mean(x) + s[t-1]\nh = W @ h[t-1] * s")
    assert program.slots == (Slot("h", 1, ("P",)), Slot("s", 1, ()))


def test_declarations_give_sizes_and_start_values():
    program = parse(
        """
        P: size = 0.25
        Q: size = 8
        a: scalar = -3
        U: (H, H) = identity
        b: H = uniform(0, 1e-3)
        W_p: (P, Q)
        h = a * (U @ h[t-1]) + b + V @ (W_p @ (W_q @ x))
        """
    )
    assert program.sizes == (("P", 0.25), ("Q", 8))
    assert [isinstance(default, float) for _, default in program.sizes] == [True, False]
    assert {w.name: w.initial for w in program.weights if w.initial is not None} == {
        "a": -3.0,
        "U": "identity",
        "b": ("uniform", 0.0, 0.001),
    }


def test_equal_values_are_computed_once():
    program = parse("a = 1 - sigmoid(W @ x)\nh = a * (1 - sigmoid(W @ x)) + (1 - b)")
    assert [op.op for op in program.operations].count("sigmoid") == 1
    assert [op.op for op in program.operations].count("constant") == 1


def test_named_number_is_not_another_equal_number():
    program = parse("gain = 1\nh = gain * (1 - b)")
    assert [op.value for op in program.operations if op.op == "constant"] == [1.0, 1.0]


def test_two_random_values_are_never_one():
    program = parse("h = dropout(b, 0.5) + dropout(b, 0.5)")
    assert [op.op for op in program.operations].count("dropout") == 2


def test_comments_name_their_line():
    program = parse("a = W @ x  ## first # part\n# alone\nh = tanh(\n  a)   # second")
    assert [line.comment for line in program.assignments] == ["first # part", "second"]


def test_blank_lines_and_common_indentation_do_not_count():
    with pytest.raises(EquationError) as caught:
        parse("\n\n        a = W @ x\n        h = q(a)\n")
    assert (caught.value.line, caught.value.column) == (2, 5)
