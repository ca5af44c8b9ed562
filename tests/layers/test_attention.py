"""Attention in any cell's equations: the textbook, engine against engine, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from penstock.cells import CELLS
from penstock.equations import Program, parse, render, transform
from penstock.errors import ConfigError, EquationError, ShapeError
from penstock.layers.attention import ATTENTIONS, decoder_program
from penstock.layers.looking import LookingStream
from penstock.layers.memory import Memory
from penstock.layers.recurrent import Recurrent

FORMS = {
    "before": {},
    "conditional": {"form": "conditional"},
    "dot": {"attention": "dot"},
    "fed": {"form": "after", "feeding": True, "layers": 2, "attention": "general"},
    "after": {"form": "after"},
}
LOOKS_FURTHER_BACK = {"taugru"}


def run(
    layer: Recurrent, xs: Tensor, memory: Tensor, words: Tensor | None, **options: Tensor | None
) -> list[Tensor]:
    """Outputs, states, traces and every gradient."""
    xs, memory = xs.clone().requires_grad_(), memory.clone().requires_grad_()
    layer.zero_grad()
    kept = Memory(memory, words)
    ys, state, (trace,) = layer(xs, memory=kept, trace=["alignment", "context"], **options)
    found = [ys, *state, trace["alignment"], trace["context"]]
    generator = torch.Generator().manual_seed(2)
    directions = [torch.randn(v.shape, generator=generator, dtype=v.dtype) for v in found]
    sum((value * to).sum() for value, to in zip(found, directions, strict=True)).backward()
    return [*found, xs.grad, memory.grad, layer.stack[0].flat.grad]


def pair(program: Program, dtype: torch.dtype, width: int) -> tuple[Recurrent, Recurrent]:
    """The same layer on the native engine and on the reference engine."""
    made = [
        Recurrent(program, 3, width, sizes={"M": width}, engine=engine).to(dtype)
        for engine in ("native", "reference")
    ]
    made[1].load_state_dict(made[0].state_dict())
    return made[0], made[1]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
def test_native_is_reference_with_every_cell(cell: str, form: str) -> None:
    if form == "conditional" and cell in LOOKS_FURTHER_BACK:
        pytest.skip("the cell looks further back than one step")
    torch.manual_seed(1)
    program = decoder_program(cell, **FORMS[form])
    assert parse(render.text(program), program.name) == program
    native, reference = pair(program, torch.float64, 6)
    xs, memory = torch.randn(4, 3, 3).double(), torch.randn(5, 3, 6).double()
    words, lengths = torch.tensor([5, 0, 2]), torch.tensor([3, 4, 0])
    found, wanted = (
        run(layer, xs, memory, words, lengths=lengths) for layer in (native, reference)
    )
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("batch", "steps", "words", "width"), [(1, 1, 1, 1), (33, 7, 20, 17), (3, 2, 3, 200)]
)
@pytest.mark.parametrize("attention", ["additive", "dot", "general"])
def test_native_is_reference_at_odd_sizes_in_float32(
    attention: str, batch: int, steps: int, words: int, width: int
) -> None:
    torch.manual_seed(1)
    native, reference = pair(decoder_program("gru", attention), torch.float32, width)
    xs, memory = torch.randn(steps, batch, 3), torch.randn(words, batch, width) / width**0.5
    reset = torch.rand(steps, batch) < 0.3
    for lengths in (None, torch.randint(0, words + 1, (batch,))):
        found, wanted = (
            run(layer, xs, memory, lengths, reset=reset) for layer in (native, reference)
        )
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=2e-4)


def test_same_bits_for_one_and_two_threads() -> None:
    torch.manual_seed(1)
    layer = Recurrent(decoder_program("lstm", form="conditional"), 3, 40, sizes={"M": 64})
    xs, memory, words = torch.randn(5, 50, 3), torch.randn(9, 50, 64), torch.randint(0, 10, (50,))
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 1):
            torch.set_num_threads(number)
            found.append(run(layer, xs, memory, words))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_textbook_of_bahdanau() -> None:
    torch.manual_seed(1)
    layer = Recurrent(decoder_program("h = tanh(W @ x + U @ h[t-1] + b)"), 3, 4, sizes={"M": 5})
    layer = layer.double()
    xs, memory = torch.randn(3, 2, 3).double(), torch.randn(6, 2, 5).double()
    words, w = [6, 4], layer.weights()
    ys, _, (trace,) = layer(xs, memory=Memory(memory, torch.tensor(words)), trace=["alignment"])
    for row, count in enumerate(words):
        h, annotations = torch.zeros(4).double(), memory[:count, row]
        for step in range(3):
            energies = torch.tanh(w["W_a"] @ h + annotations @ w["U_a"].T) @ w["v_a"]
            shares = torch.softmax(energies, 0)
            context = shares @ annotations
            h = torch.tanh(w["W"] @ xs[step, row] + w["C"] @ context + w["U"] @ h + w["b"])
            torch.testing.assert_close(ys[step, row], h)
            torch.testing.assert_close(trace["alignment"][step, row, :count], shares)
            assert not trace["alignment"][step, row, count:].any()


def test_gradients_by_finite_differences_and_twice() -> None:
    torch.manual_seed(1)
    layer = Recurrent(decoder_program("gru"), 2, 3, sizes={"M": 4}).double()
    xs = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)

    def outputs(xs: Tensor, memory: Tensor) -> Tensor:
        kept = Memory(memory, torch.tensor([3, 1]))
        ys: Tensor = layer(xs, memory=kept)[0]
        return ys

    assert torch.autograd.gradcheck(outputs, (xs, memory))
    assert torch.autograd.gradgradcheck(outputs, (xs, memory))


def test_steps_are_the_sequence_and_padding_does_not_matter() -> None:
    torch.manual_seed(1)
    layer = Recurrent(decoder_program("lstm", form="conditional"), 3, 6, sizes={"M": 4})
    xs, values, words = torch.randn(4, 3, 3), torch.randn(5, 3, 4), torch.tensor([5, 2, 0])
    memory = Memory(values, words)
    ys, state = layer(xs, memory=memory)
    nan = values.masked_fill(torch.arange(5)[:, None, None] >= words[:, None], torch.nan)
    assert torch.equal(layer(xs, memory=Memory(nan, words))[0], ys)
    now = None
    for x, y in zip(xs, ys, strict=True):
        out, now = layer.step(x, now, memory=memory)
        torch.testing.assert_close(out, y)
    torch.testing.assert_close(now, state)
    rows = torch.tensor([2, 0, 0])
    picked = layer(xs[:, rows], memory=memory.select(rows))[0]
    torch.testing.assert_close(picked, ys[:, rows])


def test_regularisers_apply() -> None:
    program = transform.layer_normalised(decoder_program("gru"))
    program = transform.variational_dropout(program, inputs=0.1, states=0.2)
    layer = Recurrent(program, 3, 6, sizes={"M": 4}, engine="native")
    ys, _ = layer(torch.randn(4, 2, 3), memory=Memory(torch.randn(5, 2, 4)))
    ys.sum().backward()
    assert layer.stack[0].flat.grad.isfinite().all()


def test_coverage_runs_on_the_reference_engine_and_says_why() -> None:
    program = decoder_program("gru", coverage=True)
    layer = Recurrent(program, 3, 4, sizes={"M": 5})
    assert "its state coverage has an entry for each source word" in layer.plan()
    memory = Memory(torch.randn(6, 2, 5), torch.tensor([6, 3]))
    _, state, (trace,) = layer(torch.randn(3, 2, 3), memory=memory, trace=["alignment"])
    torch.testing.assert_close(state.coverage[0], trace["alignment"].sum(0))
    with pytest.raises(ConfigError, match="entry for each source word"):
        Recurrent(program, 3, 4, sizes={"M": 5}, engine="native")
    with pytest.raises(ConfigError, match="learn_state=False"):
        Recurrent(program, 3, 4, sizes={"M": 5}, learn_state=True)


def test_location_attention_tells_positions_apart() -> None:
    layer = Recurrent(decoder_program("gru", "location"), 3, 4, sizes={"M": 5, "L": 2})
    memory = Memory(torch.randn(6, 2, 5), torch.tensor([6, 1]))
    _, _, (trace,) = layer(torch.randn(3, 2, 3), memory=memory, trace=["alignment"])
    assert trace["alignment"][:, 0, 2:].max() < 1e-6
    torch.testing.assert_close(trace["alignment"][:, 1, 0], torch.ones(3))


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("options", [{}, {"form": "after", "feeding": True}], ids=["before", "fed"])
@pytest.mark.parametrize(
    "regularised",
    [
        transform.layer_normalised,
        lambda program: transform.variational_dropout(program, inputs=0.4, states=0.4),
        lambda program: transform.zoneout(program, {"h": 0.4}),
    ],
    ids=["layer norm", "variational dropout", "zoneout"],
)
def test_what_is_read_enters_a_regularised_cell(
    regularised: Callable[[Program], Program], options: dict[str, Any], attention: str
) -> None:
    program = decoder_program(regularised(CELLS["gru"].program()), attention, **options)
    letter, read = ("F", "attended") if options else ("C", "context")
    plain = decoder_program("gru", attention, **options)
    for written in (render.text(program), render.text(plain)):
        assert all(f"{letter}_{gate} @ {read}" in written for gate in "rzn")


def test_a_cell_without_a_product_of_x_has_no_place_for_what_is_read() -> None:
    cell = "h: D\nf = sigmoid(V @ h[t-1])\nh = f * h[t-1] + (1 - f) * tanh(w * x)"
    with pytest.raises(ConfigError, match="expected a cell with a product W @ x"):
        decoder_program(cell)
    assert decoder_program(cell, form="after").output == "attended"


@pytest.mark.parametrize(
    "cell",
    [
        "c = memory @ softmax((Q @ x) @ memory)\nh = tanh(W @ x + U @ h[t-1] + C @ c)",
        "c = memory @ softmax(v @ memory)\nh = tanh(W @ x + U @ h[t-1] + C @ c)",
        "h = tanh(W @ x + U @ h[t-1])\ny = h + E @ (memory @ softmax(h @ memory))\nreturn y",
        """
        c = memory @ softmax((Q @ x) @ memory)
        d = memory @ softmax((R @ h[t-1]) @ memory)
        h = tanh(W @ x + U @ h[t-1] + C @ c + E @ d)
        """,
    ],
    ids=["x asks", "none asks", "after all", "twice"],
)
def test_steps_of_any_equations_that_look_at_a_source(cell: str) -> None:
    layer = Recurrent(cell, 3, 6, sizes={"M": 6})
    memory, xs = Memory(torch.randn(5, 4, 6), torch.tensor([5, 2, 0, 3])), torch.randn(4, 4, 3)
    looked = memory.select(torch.tensor([3, 1, 1, 0, 2, 2]))
    for given, rows in ((memory, xs), (looked, torch.randn(4, 6, 3))):
        with torch.no_grad():
            ys, _ = layer(rows, memory=given)
            _, state = layer(rows[:0], memory=given)
            for step, x in enumerate(rows):
                y, state = layer.step(x, state, memory=given)
                torch.testing.assert_close(y, ys[step])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "aditive"}, "Did you mean 'additive'"),
        ({"form": "behind"}, "unknown form"),
        ({"feeding": True}, "expected form='after' with feeding"),
        ({"coverage": True, "attention": "dot"}, "expected attention='additive' with coverage"),
        ({"layers": 0}, "expected layers >= 1"),
        ({"form": "conditional", "second": "lstm"}, "two cells with the same states"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], message: str) -> None:
    with pytest.raises((ConfigError, EquationError), match=message):
        decoder_program("gru", **options)


def test_a_memory_is_given_where_it_is_read_and_nowhere_else() -> None:
    reading = Recurrent(decoder_program("gru"), 3, 4, sizes={"M": 5})
    with pytest.raises(ConfigError, match="expected a memory"):
        reading(torch.zeros(2, 1, 3))
    with pytest.raises(ConfigError, match="expected no memory"):
        Recurrent("gru", 3, 4)(torch.zeros(2, 1, 3), memory=Memory(torch.zeros(2, 1, 5)))
    with pytest.raises(ShapeError, match=r"expected a memory of shape \(S, 1, 5\)"):
        reading(torch.zeros(2, 1, 3), memory=Memory(torch.zeros(2, 1, 4)))
    with pytest.raises(ShapeError, match="Memory: expected values"):
        Memory(torch.zeros(2, 3), None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_compiled_steps_look_at_the_source_of_each_row(cell: str, form: str) -> None:
    torch.manual_seed(1)
    layer = Recurrent(decoder_program(cell, **FORMS[form]), 3, 6, sizes={"M": 6})
    memory = Memory(torch.randn(5, 3, 6), torch.tensor([5, 2, 0]))
    rows = torch.tensor([2, 0, 0, 1, 2])
    looked, xs = memory.select(rows), torch.randn(4, 5, 3)
    ys, _, (trace,) = layer(xs, memory=looked, trace=["context", "alignment"])
    _, state = layer(xs[:0], memory=looked)
    with torch.no_grad():
        for step, x in enumerate(xs):
            y, state, (now,) = layer.step(x, state, memory=looked, trace=["context", "alignment"])
            torch.testing.assert_close(y, ys[step])
            for name, value in now.items():
                torch.testing.assert_close(value, trace[name][step])
            plain, _ = layer.step(x, state, memory=looked)
            assert plain.shape == y.shape
    prepared = [key for key in memory.notes if isinstance(key, LookingStream)]
    assert len(prepared) == 2  # with traces and without, once each


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, s, m: (x.double(), s, m), "xs of the weights' type"),
        (lambda x, s, m: (x[:, :2], s, m), "with D = 3"),
        (lambda x, s, m: (x[:2], s, m), "memory of shape"),
        (lambda x, s, m: (x, type(s)(*(v[:, :2] for v in s)), m), "state.h of shape"),
        (lambda x, s, m: (x, type(s)(*(v[..., :2] for v in s)), m), "state.h of shape"),
        (lambda x, s, m: (x, tuple(s)[:1] * 3, m), "state of 1 tensors"),
        (lambda x, s, m: (x, type(s)(*(v.double() for v in s)), m), "state.h of the weights' type"),
        (lambda x, s, m: (x, s, Memory(m.values.double())), "memory of the weights' type"),
        (lambda x, s, m: (x, s, Memory(m.values[..., :5])), "memory of shape"),
    ],
)
def test_a_compiled_step_takes_nothing_that_does_not_fit(
    change: Callable[..., tuple[Tensor, Any, Memory]], message: str
) -> None:
    layer = Recurrent(decoder_program("gru"), 3, 6, sizes={"M": 6})
    x, memory = torch.randn(4, 3), Memory(torch.randn(5, 4, 6))
    with torch.no_grad():
        _, state = layer(x[None], memory=memory)
        layer.step(x, state, memory=memory)
        x, state, memory = change(x, state, memory)
        with pytest.raises(ShapeError, match=message):
            layer.step(x, state, memory=memory)


@pytest.mark.parametrize(
    "given",
    [
        {"lengths": torch.tensor([3, 6])},
        {"lengths": torch.tensor([-1, 2])},
        {"lengths": torch.tensor([1.0, 2.0])},
        {"lengths": torch.tensor([1])},
        {"rows": torch.tensor([2])},
        {"rows": torch.tensor([-1])},
    ],
)
def test_no_length_or_row_lies_outside_a_memory(given: dict[str, Tensor]) -> None:
    with pytest.raises(ShapeError, match=r"Memory: expected (lengths|rows|2 lengths)"):
        Memory(torch.zeros(5, 2, 3), **given)


def test_rows_of_a_memory_are_chosen_as_those_of_a_tensor() -> None:
    memory = Memory(torch.randn(5, 3, 2))
    chosen = memory.select(torch.tensor([-1, 0, 0])).select(torch.tensor([True, False, True]))
    assert chosen.rows is not None
    assert chosen.rows.tolist() == [2, 0]
    with pytest.raises(IndexError):
        memory.select(torch.tensor([3]))


def test_a_memory_looked_at_without_a_graph_still_has_one_with() -> None:
    looked = Memory(torch.zeros(2, 1, 3, requires_grad=True), torch.tensor([1]))
    with torch.no_grad():
        assert not looked.sources.values.requires_grad
    assert looked.sources.values.requires_grad
