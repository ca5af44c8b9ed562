"""Layers as programs of all kinds use them: optimisers, autocast, changed weights, compilers."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad
from torch.nn.utils import parametrize, prune

from penstock.cells import CELLS
from penstock.layers.attention import decoder_program
from penstock.layers.memory import Memory
from penstock.layers.output import Softmax
from penstock.layers.recurrent import Recurrent
from penstock.models.mode import evaluating
from tests.tolerances import assert_close

MODES = [torch.no_grad, torch.inference_mode]


@pytest.fixture
def inputs():
    return torch.randn(6, 3, 4)


def pair(cell, *sizes, **options):
    """The same layer on two engines."""
    made = [Recurrent(cell, *sizes, engine=engine, **options) for engine in ("native", "reference")]
    made[1].load_state_dict(made[0].state_dict())
    return made


# -- weights that change ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"fused": True}, {"foreach": True}, {"fused": False, "foreach": False}], ids=str
)
@pytest.mark.parametrize("optimiser", [torch.optim.AdamW, torch.optim.SGD])
def test_steps_after_an_update_have_its_weights(optimiser, options, inputs):
    layer, output = Recurrent("lstm", 4, 5), Softmax(5, 7)
    updates = optimiser([*layer.parameters(), *output.parameters()], lr=0.1, **options)
    for _ in range(2):
        with torch.no_grad():
            _, state = layer.step(inputs[0])
            y, _ = layer.step(inputs[1], state)
            torch.testing.assert_close(y, layer(inputs[1:2], state)[0][0])
            torch.testing.assert_close(output.best(y, 1)[0], output.log_p(y).amax(1, keepdim=True))
        output.loss(layer(inputs)[0].flatten(0, 1), torch.zeros(18, dtype=torch.long)).backward()
        updates.step()


def test_a_change_of_data_is_seen_after_a_change_of_mode(inputs):
    layer = Recurrent("lstm", 4, 5).eval()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        layer.step(inputs[1], state)
        layer.stack[0].flat.data.mul_(3)
        y, _ = layer.train().eval().step(inputs[1], state)
        torch.testing.assert_close(y, layer(inputs[1:2], state)[0][0])


@pytest.mark.parametrize("change", ["pruned", "parametrised"])
def test_weights_that_are_made_of_others(change, inputs):
    layer = Recurrent("gru", 4, 5).eval()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        before, _ = layer.step(inputs[1], state)
        if change == "pruned":
            prune.l1_unstructured(layer.stack[0], "flat", 0.5)
        else:
            parametrize.register_parametrization(layer.stack[0], "flat", torch.nn.Tanh())
        after, _ = layer.step(inputs[1], state)
        torch.testing.assert_close(after, layer(inputs[1:2], state)[0][0])
    assert not torch.equal(before, after)
    assert "its weights are made of others" in layer.plan()


@pytest.mark.parametrize("mode", MODES)
def test_weights_made_in_inference_mode(mode, inputs):
    with torch.inference_mode():
        layer = Recurrent("lstm", 4, 5).eval()
    with mode():
        _, state = layer.step(inputs[0])
        for x in inputs[1:]:
            y, after = layer.step(x, state)
            torch.testing.assert_close(y, layer(x[None], state)[0][0])
            state = after


# -- modes -----------------------------------------------------------------------------------------


@torch.no_grad()
def test_dropout_between_layers_in_single_steps(inputs):
    layer = Recurrent("lstm", 4, 64, 2, dropout=0.5)
    _, state = layer.step(inputs[0])
    drawn = [layer.step(inputs[1], state)[0] for _ in range(2)]
    assert not torch.equal(*drawn)
    assert "dropout between layers draws masks" in layer.plan()
    settled = [layer.eval().step(inputs[1], state)[0] for _ in range(2)]
    assert torch.equal(*settled)
    assert "single steps: compiled" in layer.plan()


@torch.no_grad()
@pytest.mark.parametrize("cell", ["lstm", "gru", "h: D\nh = 0.5 * h[t-1] + tanh(x + b)"])
def test_steps_of_layers_of_different_sizes(cell, inputs):
    sizes = [4, 4] if cell.startswith("h: D") else [6, 5]
    layer = Recurrent(cell, 4, sizes, 2)
    expected, end = layer(inputs)
    _, state = layer(inputs[:1])
    for x in inputs[1:]:
        assert layer._take_step(x, state) is not None
        y, state = layer.step(x, state)
    torch.testing.assert_close(y, expected[-1])
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("cell", "memory"),
    [
        ("lstm", False),
        ("A: (H, R)\nh = tanh(W @ x + (A @ B) @ h[t-1] + b)", False),
        ("h = tanh(W @ x + U @ h[t-1] + V @ b)", False),
        (decoder_program("gru"), True),
    ],
    ids=["lstm", "low rank", "a vector of weights", "attention"],
)
def test_autocast_rounds_what_pytorch_multiplies_and_no_more(cell, memory, inputs):
    layers = pair(cell, 4, 16, sizes={"M": 5} if memory else {"R": 2} if "R" in str(cell) else {})
    given = {"memory": Memory(torch.randn(7, 3, 5))} if memory else {}
    found = []
    for layer in layers:
        with torch.autocast("cpu", torch.bfloat16):
            ys, state = layer(inputs, **given)
            with torch.no_grad():
                y, _ = layer.step(inputs[0], state, **given)
        ys.float().square().sum().backward()
        found.append([ys.float(), y.float(), layer.stack[0].flat.grad])
    with torch.no_grad():
        exact, _ = layers[1](inputs, **given)
    torch.testing.assert_close(found[0][0], exact, rtol=0.05, atol=0.02)
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0.1, atol=0.1)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # by PyTorch
def test_forward_mode_gives_the_tangent(inputs):
    native, reference = (layer.requires_grad_(False) for layer in pair("gru", 4, 5))
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(inputs, torch.ones_like(inputs))
        tangents = [forward_ad.unpack_dual(each(dual)[0]).tangent for each in (native, reference)]
    torch.testing.assert_close(*tangents)


def test_a_memory_lasts_for_several_updates(inputs):
    layer = Recurrent(decoder_program("gru"), 4, 5, sizes={"M": 5})
    memory = Memory(torch.randn(7, 3, 5, requires_grad=True), torch.tensor([7, 2, 3]))
    for _ in range(2):
        layer(inputs, memory=memory)[0].sum().backward()
    assert memory.values.grad is not None


@torch.no_grad()
@pytest.mark.parametrize("kind", ["int32", "strided"])
def test_lengths_and_rows_of_any_layout(kind, inputs):
    def laid_out(numbers):
        found = torch.tensor(numbers)
        return found.int() if kind == "int32" else torch.stack([found, found * 0 + 1], 1)[:, 0]

    layer, values = Recurrent(decoder_program("gru"), 4, 5, sizes={"M": 5}), torch.randn(7, 3, 5)
    memory = Memory(values, laid_out([7, 3, 1]), laid_out([2, 0, 1]))
    plain = Memory(values, torch.tensor([7, 3, 1]), torch.tensor([2, 0, 1]))
    ys, state = layer(inputs[:1], memory=plain)
    torch.testing.assert_close(layer(inputs[:1], memory=memory)[0], ys)
    expected, _ = layer.step(inputs[1], state, memory=plain)
    torch.testing.assert_close(layer.step(inputs[1], state, memory=memory)[0], expected)


# -- compilers -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # PyTorch's own while it traces
@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_cell_is_trained_when_compiled(name, inputs):
    layer = Recurrent(name, 4, 5).double()
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="aot_eager")
    found = []
    for run in (compiled, layer):
        layer.zero_grad()
        torch.manual_seed(1)
        run(inputs.double())[0].square().sum().backward()
        found.append([weight.grad.clone() for weight in layer.parameters()])
    for mine, theirs in zip(*found, strict=True):
        assert_close(mine, theirs, "float64")


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_a_step_is_compiled_after_one_that_was_not(inputs):
    layer = Recurrent("gru", 4, 5).eval()
    _, state = layer.step(inputs[0])
    expected, _ = layer.step(inputs[1], state)
    torch.compiler.reset()
    compiled = torch.compile(layer.step, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(inputs[1], state)[0], expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lstm", "gru", "lstm-layernorm"])
def test_exported_with_any_number_of_steps_and_rows(name, inputs):
    layer = Recurrent(name, 4, 5, 2)
    sizes = {0: torch.export.Dim("T", min=2), 1: torch.export.Dim("B", min=2)}
    exported = torch.export.export(layer, (inputs,), dynamic_shapes=(sizes,)).module()
    for other in (inputs, torch.randn(9, 2, 4)):
        torch.testing.assert_close(exported(other)[0], layer(other)[0])


@pytest.mark.filterwarnings("ignore")
def test_traces_of_a_compiled_layer(inputs):
    layer = Recurrent("gru", 4, 5)
    torch.compiler.reset()
    compiled = torch.compile(lambda xs: layer(xs, trace=["n"]), backend="aot_eager")
    for _ in range(2):
        _, _, (trace,) = compiled(inputs)
        torch.testing.assert_close(trace["n"], layer(inputs, trace=["n"])[2][0]["n"])


def test_a_model_in_evaluation_keeps_what_it_has_packed(inputs):
    layer = Recurrent("lstm", 4, 5).eval()
    with torch.no_grad(), evaluating(layer):
        _, state = layer.step(inputs[0])
        layer.step(inputs[1], state)
    packed = layer._steps
    with evaluating(layer):
        assert layer._steps is packed
    layer.stack[0].train()
    with evaluating(layer):
        assert not layer.stack[0].training
        assert layer._steps is None
