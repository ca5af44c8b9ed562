"""Gates and gradients against hand calculations and a plain loop in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from penstock.inspect.trace import gate_activity, gradient_flow
from penstock.models.window import WindowModel

IDS = np.random.default_rng(0).integers(0, 11, 90)
LINEAR = "h = 0.5 * h[t-1] + W @ x"


def test_gradient_of_a_linear_cell_halves_at_every_step(make_model):
    (flow,) = gradient_flow(make_model(LINEAR), IDS, 0, distances=12, positions=7)
    assert (flow.layer, flow.state, len(flow.norms)) == (1, "h", 13)
    np.testing.assert_allclose(flow.norms, flow.norms[0] * 0.5 ** np.arange(13), rtol=1e-12)


@torch.no_grad()
def _softmax_gradients(model):
    """|| S^T (y - target) || of every token, each read alone from the first state."""
    norms = []
    for word, target in zip([0, *IDS[:-1]], IDS, strict=True):
        hidden = model.recurrent.weights()["W"] @ model.embedding.weight[word]
        error = torch.softmax(model.output.weight @ hidden + model.output.bias, 0)
        error[target] -= 1
        norms.append(float((model.output.weight.T @ error).norm()))
    return norms


def test_gradient_at_distance_0_is_that_of_the_softmax(make_model):
    model = make_model(LINEAR)
    (flow,) = gradient_flow(model, IDS, 0, distances=0, positions=90)
    np.testing.assert_allclose(flow.norms, [np.mean(_softmax_gradients(model))], rtol=1e-12)


def test_gradient_through_two_elman_layers_equals_a_plain_loop(make_model):
    model = make_model("elman", num_layers=2, hidden_size=[6, 4])
    flows = gradient_flow(model, IDS, 0, distances=8, positions=1)
    end = 16  # the first position that has a whole window before it
    states = [torch.zeros(6).double(), torch.zeros(4).double()]
    seen: list[list[torch.Tensor]] = [[], []]
    for word in [0, *IDS[:end]]:
        x = model.embedding.weight[word]
        for layer in (0, 1):
            w = model.recurrent.weights(layer)
            x = torch.tanh(w["W"] @ x + w["U"] @ states[layer] + w["b"]).requires_grad_()
            x.retain_grad()
            states[layer] = x
            seen[layer].append(x)
    model.losses(x[None, None], torch.tensor([[IDS[end]]])).sum().backward()
    for flow, nodes in zip(flows, seen, strict=True):
        expected = [float(node.grad.norm()) for node in nodes[::-1][:9]]
        np.testing.assert_allclose(flow.norms, expected, rtol=1e-10)


def test_a_memory_that_only_the_next_step_reads_has_no_gradient_at_distance_0(make_model):
    flows = {flow.state: flow.norms for flow in gradient_flow(make_model("lstm"), IDS, 0)}
    assert list(flows) == ["h", "c"]
    assert flows["c"][0] == 0
    assert (flows["c"][1:] > 0).all()
    assert (flows["h"] > 0).all()


def test_a_cell_that_reads_two_steps_back(make_model):
    """h = 0.5 h[t-1] + 0.25 h[t-2]: the gradient follows the same recurrence."""
    model = make_model("h = 0.5 * h[t-1] + 0.25 * h[t-2] + W @ x")
    (flow,) = gradient_flow(model, IDS, 0, distances=6, positions=3)
    shares = [1.0, 0.5]
    for _ in range(5):
        shares.append(0.5 * shares[-1] + 0.25 * shares[-2])
    np.testing.assert_allclose(flow.norms / flow.norms[0], shares, rtol=1e-12)


def test_a_cell_without_a_state_has_no_flow(make_model):
    assert gradient_flow(make_model("h = tanh(W @ x)"), IDS, 0) == []


@pytest.mark.parametrize("length", [1, 2, 30])
def test_short_texts_reach_as_far_as_they_go(make_model, length):
    (flow,) = gradient_flow(make_model("gru"), IDS[:length], 0, distances=40)
    assert len(flow.norms) == min(length, 41)


def test_gates_by_hand(make_model):
    model = make_model("z = sigmoid(b)   # keep\nr = 1 - z\nh = z * h[t-1] + r * (W @ x)")
    weights = model.recurrent.weights()
    weights["b"].zero_()
    z, r, h = gate_activity(model, IDS[:3])
    assert [trace.name for trace in (z, r, h)] == ["z", "r", "h"]
    assert (z.comment, z.is_gate, r.is_gate, h.is_gate) == ("keep", True, True, False)
    assert (z.is_state, h.is_state, h.bounds) == (False, True, None)
    assert np.all(z.values == 0.5)
    expected = np.zeros(6)
    for step, word in enumerate(IDS[:3]):
        inputs = (weights["W"] @ model.embedding.weight[word]).detach().numpy()
        expected = 0.5 * expected + 0.5 * inputs
        np.testing.assert_allclose(h.values[step], expected, rtol=1e-12)


def test_the_state_starts_anew_before_a_token(make_model):
    model, ids = make_model("gru"), np.array([3, 4, 0, 3, 4])
    *_, carried = gate_activity(model, ids)
    *_, reset = gate_activity(model, ids, anew=0)
    *_, alone = gate_activity(model, ids[2:])
    np.testing.assert_array_equal(reset.values[:2], carried.values[:2])
    np.testing.assert_allclose(reset.values[2:], alone.values, rtol=1e-12)


def test_saturation_counts_values_near_the_bounds(make_model):
    model = make_model("z = sigmoid(b)\ng = tanh(d)\nh = z * h[t-1] + g + W @ x")
    weights = model.recurrent.weights()
    weights["b"].copy_(torch.tensor([-5.0, -5.0, -5.0, 0.0, 0.0, 5.0]))
    weights["d"].copy_(torch.tensor([-5.0, 0.0, 0.0, 0.0, 5.0, 5.0]))
    z, g, h = gate_activity(model, IDS[:4])
    assert z.saturation == pytest.approx((3 / 6, 1 / 6))
    assert g.saturation == pytest.approx((1 / 6, 2 / 6))
    assert h.saturation == (0, 0)


@pytest.mark.parametrize(
    "look",
    [
        lambda model: gate_activity(model, IDS),
        lambda model: gradient_flow(model, IDS, 0, distances=3),
    ],
)
def test_the_model_is_left_as_it_was(make_model, look):
    model = make_model("lstm", dropout=0.5, num_layers=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    look(model)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_every_layer_and_name_is_traced(make_model):
    model = make_model("lstm", num_layers=2, hidden_size=[6, 4])
    traces = gate_activity(model, IDS[:5])
    names = [(trace.layer, trace.name, trace.values.shape) for trace in traces]
    assert names == [
        (layer, name, (5, size)) for layer, size in ((1, 6), (2, 4)) for name in "ifogch"
    ]


def test_gradient_of_a_window_reaches_its_words_and_no_further():
    """|| W_k^T (1 - h²) S^T (y - target) || of every place k of the window, by hand."""
    torch.manual_seed(2)
    model = WindowModel(11, context=3, embedding_size=4, hidden_size=6).double()
    (flow,) = gradient_flow(model, IDS, 0, positions=1)
    assert (flow.state, len(flow.norms)) == ("word vector", 3)
    w, x = model.recurrent.weights(), model.embedding.weight[[0, *IDS[:2]]].flatten()
    h = torch.tanh(w["W"] @ x + w["b"])
    error = torch.softmax(model.output(h), 0)
    error[IDS[2]] -= 1
    dx = w["W"].T @ ((1 - h**2) * (model.output.weight.T @ error))
    norms = dx.view(3, 4).norm(dim=1).flip(0).detach().numpy()
    np.testing.assert_allclose(flow.norms, norms, rtol=1e-10)


def test_values_inside_a_window_network():
    model = WindowModel(11, context=3, embedding_size=4, hidden_size=6)
    (trace,) = gate_activity(model, IDS, anew=0)
    assert (trace.name, trace.bounds, trace.is_state) == ("h", (-1.0, 1.0), False)
    assert trace.values.shape == (90, 6)
