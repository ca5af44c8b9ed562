"""What holds for a layer of any cell of the zoo."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch.func import functional_call

from penstock.cells import CELLS
from penstock.layers.recurrent import Recurrent
from tests.tolerances import assert_close

T, B, D, H = 6, 3, 4, 5
cells = pytest.mark.parametrize("name", sorted(CELLS))


def make(name, *, num_layers=2, bidirectional=True, hidden=H, **options):
    """A float64 layer with weights that keep every unit busy."""
    layer = Recurrent(name, D, hidden, num_layers, bidirectional=bidirectional, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0.0, 0.4)
    return layer


def inputs(steps=T, batch=B):
    return torch.randn(steps, batch, D, dtype=torch.float64)


def random_state(layer, batch=B):
    """A state of the layer's shapes."""
    _, state = layer(inputs(0, batch))
    return state_like(state, torch.randn_like)


def state_like(state, change):
    """The state with every layer's (B, size) tensor changed."""
    return type(state)(*(tuple(change(part) for part in value) for value in state))


def of_sequence(state, b):
    """The state of one sequence, still with a batch axis."""
    return state_like(state, lambda part: part[b : b + 1])


def parts(state):
    """All tensors (B, size) of a state, field by field and layer by layer."""
    return [part for value in state for part in value]


def assert_same_state(actual, expected, kind="float64"):
    assert actual._fields == expected._fields
    for mine, theirs in zip(parts(actual), parts(expected), strict=True):
        assert_close(mine, theirs, kind)


@cells
def test_gradients_are_those_of_finite_differences(name):
    layer = make(name, num_layers=1, bidirectional=False, hidden=2)
    names = [key for key, _ in layer.named_parameters()]

    def run(xs, *rest):
        weights = dict(zip(names, rest[: len(names)], strict=True))
        state = [value[None] for value in rest[len(names) :]]
        ys, end = functional_call(layer, weights, (xs, state))
        return ys, *end

    leaves = [inputs(3, 2), *layer.parameters(), *parts(random_state(layer, 2))]
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(run, leaves, eps=1e-6, rtol=1e-4, atol=1e-7)


@cells
def test_steps_are_the_sequence(name):
    layer = make(name, bidirectional=False)
    xs, state = inputs(), random_state(make(name, bidirectional=False))
    ys, end = layer(xs, state)
    for x, y in zip(xs, ys, strict=True):
        output, state = layer.step(x, state)
        assert_close(output, y, "float64")
    assert_same_state(state, end)


@cells
def test_two_halves_are_the_sequence(name):
    layer = make(name, bidirectional=False)
    xs = inputs()
    ys, end = layer(xs)
    first, state = layer(xs[:2])
    second, state = layer(xs[2:], state)
    assert_close(torch.cat([first, second]), ys, "float64")
    assert_same_state(state, end)


@cells
def test_padding_at_the_end_changes_nothing(name):
    layer, xs = make(name), inputs()
    lengths = torch.tensor([T, 2, 0])
    padded = xs.clone()
    padded[2:, 1] = 1e30
    padded[:, 2] = torch.nan
    padded.requires_grad_()
    ys, end = layer(padded, lengths=lengths)
    (ys.square().sum() + sum(part.square().sum() for part in parts(end))).backward()
    gradient = layer.stack[0].flat.grad.clone()
    layer.zero_grad()
    alone = [layer(xs[:length, b : b + 1]) for b, length in enumerate(lengths)]
    for b, length in enumerate(lengths):
        assert_close(ys[:length, b], alone[b][0][:, 0], "float64")
        assert not ys[length:, b].any()
        assert_same_state(of_sequence(end, b), alone[b][1])
    sum(y.square().sum() + sum(p.square().sum() for p in parts(e)) for y, e in alone).backward()
    assert_close(gradient, layer.stack[0].flat.grad, "float64")
    assert bool(padded.grad.isfinite().all())
    assert not padded.grad[2:, 1].any()


@cells
def test_padding_on_the_left_and_gaps_change_nothing(name):
    layer, xs = make(name), inputs()
    mask = torch.tensor([[0, 1, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]]).bool()
    ys, end = layer(xs, mask=mask)
    for b in range(B):
        expected, state = layer(xs[mask[:, b], b : b + 1])
        assert_close(ys[mask[:, b], b], expected[:, 0], "float64")
        assert not ys[~mask[:, b], b].any()
        assert_same_state(of_sequence(end, b), state)


@cells
@pytest.mark.parametrize("learn_state", [False, True])
def test_reset_parts_sequences(name, learn_state):
    layer = make(name, learn_state=learn_state, num_layers=1)
    xs, cuts = inputs(), [[0, 3], [0, 1, 4], [0]]
    reset = torch.zeros(T, B, dtype=torch.bool)
    for b, begins in enumerate(cuts):
        reset[begins[1:], b] = True
    ys, end = layer(xs, reset=reset)
    for b, begins in enumerate(cuts):
        spans = list(zip(begins, [*begins[1:], T], strict=True))
        runs = [layer(xs[begin:stop, b : b + 1]) for begin, stop in spans]
        assert_close(ys[:, b], torch.cat([run[0][:, 0] for run in runs]), "float64")
        for field, value in end._asdict().items():
            assert_close(value[0, b], getattr(runs[-1][1], field)[0, 0], "float64")
            assert_close(value[1, b], getattr(runs[0][1], field)[1, 0], "float64")


@cells
def test_a_reset_at_padding_still_parts(name):
    layer, xs = make(name, bidirectional=False, num_layers=1), inputs(4, 1)
    reset = torch.tensor([[False], [False], [True], [False]])
    ys, end = layer(xs, mask=torch.tensor([[True], [True], [False], [True]]), reset=reset)
    expected, state = layer(xs[3:])
    assert_close(ys[3:], expected, "float64")
    assert_same_state(end, state)


@cells
def test_bidirectional_is_two_layers_of_which_one_runs_backward(name):
    both = make(name, num_layers=1)
    halves = [make(name, num_layers=1, bidirectional=False) for _ in range(2)]
    for half, direction in zip(halves, both.stack, strict=True):
        half.stack[0].load_state_dict(direction.state_dict())
    xs, state = inputs(), random_state(both)
    ys, end = both(xs, state)
    forward, ahead = halves[0](xs, tuple(value[:1] for value in state))
    backward, back = halves[1](xs.flip(0), tuple(value[1:] for value in state))
    assert_close(ys, torch.cat([forward, backward.flip(0)], -1), "float64")
    joined = (torch.cat(pair) for pair in zip(ahead, back, strict=True))
    assert_same_state(end, type(end)(*joined))


@cells
def test_layers_are_one_after_another(name):
    layer = make(name, bidirectional=False, hidden=[6, 5])
    xs = inputs()
    ys, end = layer(xs)
    for index, size in enumerate([6, 5]):
        one = Recurrent(name, xs.shape[-1], size).double()
        one.stack[0].load_state_dict(layer.stack[index].state_dict())
        xs, state = one(xs)
        for mine, theirs in zip(end, state, strict=True):
            assert_close(mine[index], theirs[0], "float64")
    assert_close(ys, xs, "float64")


@cells
def test_batch_first(name):
    first, second = make(name), make(name, batch_first=True)
    second.load_state_dict(first.state_dict())
    xs, lengths, reset = inputs(), torch.tensor([T, 1, 3]), torch.rand(T, B) > 0.7
    ys, end, traces = first(xs, lengths=lengths, reset=reset, trace=True)
    others, other, tracks = second(
        xs.transpose(0, 1), lengths=lengths, reset=reset.transpose(0, 1), trace=True
    )
    assert_close(others.transpose(0, 1), ys, "same bits")
    assert_same_state(other, end, "same bits")
    for trace, track in zip(traces, tracks, strict=True):
        for key, value in trace.items():
            assert_close(track[key].transpose(0, 1), value, "same bits")


@cells
def test_trace_gives_every_name_and_masks_padding(name):
    layer = make(name)
    lengths = torch.tensor([T, 2, 0])
    ys, end, traces = layer(inputs(), lengths=lengths, trace=True)
    output = layer.program.output
    tops = [trace[output] for trace in traces[-2:]]
    assert_close(torch.cat(tops, -1), ys, "same bits")
    for index, trace in enumerate(traces):
        assert set(trace) == set(layer.program.indices)
        last = 0 if index % 2 else T - 1
        for key, value in trace.items():
            assert value.shape[:2] == (T, B)
            assert not value[2:, 1].any()
            if key in layer.program.states:
                assert_close(getattr(end, key)[index, 0], value[last, 0], "same bits")


@cells
def test_learnt_first_state_is_where_the_sequence_begins(name):
    layer = make(name, learn_state=True)
    xs = inputs()
    ys, end = layer(xs)
    _, start = layer(xs[:0])
    again, other = layer(xs, start)
    assert_close(again, ys, "float64")
    assert_same_state(other, end)
    ys.sum().backward()
    learnt = {key: p for key, p in layer.named_parameters() if "learnt_" in key}
    assert len(learnt) == 4 * len(start)
    assert any(parameter.grad.any() for parameter in learnt.values())


@cells
def test_save_and_load_keep_every_bit(name):
    first, second = make(name, learn_state=True), make(name, learn_state=True)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    xs = inputs()
    assert_close(second(xs)[0], first(xs)[0], "same bits")
    copied = copy.deepcopy(first)
    with torch.no_grad():
        first.stack[0].flat.zero_()
    assert_close(copied(xs)[0], second(xs)[0], "same bits")


@cells
def test_float_types(name):
    layer = Recurrent(name, D, H)
    assert {type(p) for p in layer.parameters()} == {torch.nn.Parameter}
    xs = torch.randn(T, B, D)
    before, state = layer(xs)
    assert before.dtype == torch.float32
    assert_close(layer.to("cpu")(xs, state)[0], layer(xs, state)[0], "same bits")
    after, _ = layer.double()(xs.double())
    torch.testing.assert_close(before.double(), after, rtol=1e-4, atol=1e-5)
    layer.requires_grad_(False)
    ys, end = layer(xs.double())
    assert not ys.requires_grad
    assert not any(part.requires_grad for part in parts(end))


@cells
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_run_over(name, steps, batch):
    layer = make(name)
    ys, end = layer(inputs(steps, batch), lengths=torch.zeros(batch, dtype=torch.long))
    assert ys.shape == (steps, batch, layer.output_size)
    assert all(len(value) == 4 for value in end)
    assert all(part.shape[0] == batch for part in parts(end))


@cells
def test_weights_are_views_by_name(name):
    layer = make(name)
    names = {weight.name for weight in layer.program.weights}
    xs = inputs()
    for index in range(2):
        for way in range(2):
            weights = layer.weights(index, way)
            assert set(weights) == names
            with torch.no_grad():
                for weight in weights.values():
                    weight.fill_(0.25)
            assert bool((layer.stack[2 * index + way].flat == 0.25).all())
    layer(xs)[0].square().sum().backward()
    gradients = layer.weights(1, 1, grad=True)
    flat = layer.stack[3].flat
    total = sum(gradient.double().sum() for gradient in gradients.values())
    assert_close(total, flat.grad.sum(), "float64")
    for gradient in gradients.values():
        gradient.zero_()
    assert not flat.grad.any()
