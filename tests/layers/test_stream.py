"""Steps in compiled code, and layers as torch.compile and torch.export take them."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from penstock.cells import CELLS
from penstock.errors import ConfigError, ShapeError
from penstock.layers.recurrent import Recurrent
from tests.tolerances import assert_close

READS_EARLIER_INPUTS = {"qrnn", "t-gru", "t-lstm"}


@pytest.fixture
def inputs():
    return torch.randn(6, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_steps_in_compiled_code_are_the_sequence(name, inputs):
    layer = Recurrent(name, 4, 5, 2).double()
    expected, end = layer(inputs)
    with torch.no_grad():
        y, state = layer.step(inputs[0])
        for t, x in enumerate(inputs[1:], 1):
            assert_close(y, expected[t - 1].detach(), "float64")
            y, state = layer.step(x, state)
    parts = [[part for value in one for part in value] for one in (state, end)]
    for mine, theirs in zip(*parts, strict=True):
        assert_close(mine, theirs.detach(), "float64")
    assert (layer._steps is None) == (name in READS_EARLIER_INPUTS)


def test_new_weights_are_used_at_once(inputs):
    layer = Recurrent("lstm", 4, 5).double()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        before, _ = layer.step(inputs[1], state)
        layer.weights()["U_f"].mul_(2.0)
        after, _ = layer.step(inputs[1], state)
        assert_close(after, layer(inputs[1:2], state)[0][0], "float64")
    assert not torch.equal(before, after)


def test_a_step_does_not_change_the_state_it_is_given(inputs):
    layer = Recurrent("gru", 4, 5).double()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        kept = state.h.clone()
        layer.step(inputs[1], state)
    assert torch.equal(state.h, kept)


@pytest.mark.parametrize("layers", [1, 2])
def test_steps_of_any_batch_and_layout(layers, inputs):
    layer = Recurrent("lstm", 4, 5, layers).double()
    expected, _ = layer(inputs)
    with torch.no_grad():
        for rows in (3, 1, 2):
            _, state = layer.step(inputs[0, :rows])
            x = inputs[1, :rows].t().contiguous().t()
            assert_close(layer.step(x, state)[0], expected[1, :rows].detach(), "float64")


def test_steps_with_what_does_not_fit(inputs):
    layer = Recurrent("lstm", 4, 5).double()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        layer.step(inputs[1], state)
        for x, given in (
            (inputs[0, :, :2], state),
            (inputs[0, :2], state),
            (inputs[0].float(), state),
            (inputs[0], (state.h, state.c[..., :2])),
            (inputs[0], (state.h,)),
            (inputs[0], 5),
        ):
            with pytest.raises(ShapeError, match="Recurrent: expected"):
                layer.step(x, given)


def test_a_layer_that_took_steps_can_be_copied(inputs):
    layer = Recurrent("lstm", 4, 5).double()
    with torch.no_grad():
        _, state = layer.step(inputs[0])
        y, _ = layer.step(inputs[1], state)
        again, _ = copy.deepcopy(layer).step(inputs[1], state)
    assert torch.equal(y, again)


def test_a_packed_sequence_is_refused(inputs):
    packed = torch.nn.utils.rnn.pack_sequence([inputs[:, 0]])
    with pytest.raises(ShapeError, match=r"got PackedSequence\. Give a padded tensor and lengths="):
        Recurrent("gru", 4, 5).double()(packed)


@pytest.mark.parametrize("engine", ["reference", "native", "torch"])
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_nothing_has_no_gradient_but_can_be_asked(engine, shape):
    layer = Recurrent("lstm", 4, 5, engine=engine)
    xs = torch.zeros(shape, requires_grad=True)
    layer(xs)[0].sum().backward()
    assert xs.grad is not None
    assert not xs.grad.any()
    assert all(not weight.grad.any() for weight in layer.parameters())


@pytest.mark.filterwarnings("ignore")  # PyTorch's own while it traces
@pytest.mark.parametrize("name", ["elman", "lstm", "gru", "lstm-layernorm", "sru"])
@pytest.mark.parametrize("lengths", [None, torch.tensor([6, 2, 4])])
def test_compiled_whole_it_is_the_same(name, lengths, inputs):
    layer = Recurrent(name, 4, 5, 2, bidirectional=True).double()
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=lengths is None)
    results = []
    for run in (compiled, layer):  # the compiled one finds nothing worked out
        layer.zero_grad()
        ys, state = run(inputs, None, lengths)
        ys.square().sum().backward()
        results.append([ys, *state, *(p.grad.clone() for p in layer.parameters())])
    for mine, theirs in zip(*results, strict=True):
        assert_close(mine.detach(), theirs.detach(), "float64")


@pytest.mark.filterwarnings("ignore")
def test_compiled_for_evaluation_it_is_the_same(inputs):
    layer = Recurrent("lstm", 4, 5, 2).double().eval()
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        assert_close(compiled(inputs)[0], layer(inputs)[0], "float64")


@pytest.mark.parametrize("ran", [False, True])
def test_a_layer_can_be_pickled(inputs, ran):
    layer = Recurrent("gru", 4, 5, 2).double().eval()
    if ran:
        layer(inputs)
        layer.step(inputs[0])
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(inputs)[0], layer(inputs)[0])


@pytest.mark.filterwarnings("ignore")
def test_exported_it_is_the_same(inputs):
    layer = Recurrent("gru", 4, 5, 2).double()
    exported = torch.export.export(layer, (inputs,)).module()
    assert_close(exported(inputs)[0].detach(), layer(inputs)[0].detach(), "float64")


@pytest.mark.parametrize("name", sorted(set(CELLS) - READS_EARLIER_INPUTS))
def test_a_stream_is_the_sequence(name, inputs):
    layer = Recurrent(name, 4, 5, 2).double()
    expected, end = layer(inputs)
    stream = layer.stream(batch=3)
    found = torch.stack([stream(x) for x in inputs])
    assert_close(found, expected.detach(), "float64")
    for mine, theirs in zip(stream.state, end, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert_close(one, other.detach(), "float64")


def test_a_stream_goes_on_from_a_state_and_leaves_it(inputs):
    layer = Recurrent("lstm", 4, [5, 6], 2, batch_first=True, learn_state=True).double()
    whole = inputs.transpose(0, 1)
    expected, _ = layer(whole)
    _, state = layer(whole[:, :2])
    kept = [[part.clone() for part in one] for one in state]
    stream = layer.stream(3, state)
    for t in range(2, 6):
        assert_close(stream(inputs[t]), expected[:, t].detach(), "float64")
    assert all(
        torch.equal(part, other)
        for one, others in zip(state, kept, strict=True)
        for part, other in zip(one, others, strict=True)
    )
    begun = layer.stream(3)
    assert_close(begun(inputs[0]), expected[:, 0].detach(), "float64")


def test_a_stream_has_the_weights_of_its_beginning(inputs):
    layer = Recurrent("gru", 4, 5).double()
    expected, stream = layer(inputs)[0].detach(), layer.stream(3)
    with torch.no_grad():
        layer.weights()["U_z"].mul_(2.0)
    for x, y in zip(inputs, expected, strict=True):
        assert_close(stream(x), y, "float64")


def test_a_stream_refuses_what_does_not_fit(inputs):
    stream = Recurrent("lstm", 4, 5).stream(3)
    for x in (inputs[0], inputs[0, :2].float(), inputs[0, :, :2].float(), inputs.float()):
        with pytest.raises(ShapeError, match=r"expected x of shape \(3, 4\)"):
            stream(x)
    with pytest.raises(ConfigError, match="bidirectional"):
        Recurrent("lstm", 4, 5, bidirectional=True).stream()
    with pytest.raises(ConfigError, match="the engine is reference"):
        Recurrent("lstm", 4, 5, engine="reference").stream()
    with pytest.raises(ShapeError, match="state"):
        Recurrent("lstm", 4, 5).stream(3, (torch.zeros(1, 2, 5),))
