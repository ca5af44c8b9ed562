"""Truncated backpropagation through time against a plain unroll with explicit cuts.

The unroll knows nothing of the layer: torch operations on weights taken by name, one step after
another, every state of the text remembered as it was last computed.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from penstock.errors import ConfigError
from penstock.layers.state import detached
from penstock.models.language import LanguageModel
from penstock.training.bptt import TruncatedBPTT
from tests.tolerances import assert_close

V, E, B, T = 6, 4, 3, 23
RATE = 0.7  # large, so that states computed before and after an update differ
WINDOWS = [(5, 5), (5, 12), (5, 3), (1, 4), (T, T), (3, 7), (4, 1), (2, 40), (40, 6)]
MODELS = {
    "elman": {"cell": "elman", "hidden_size": 5},
    "deep lstm": {"cell": "lstm", "hidden_size": 5, "num_layers": 2},
    "learnt first state": {
        "cell": "lstm",
        "hidden_size": [5, 3],
        "num_layers": 2,
        "learn_state": True,
    },
}
LINES = {"elman": ("h",), "lstm": ("h", "c")}


class Text:
    """Columns of random symbols."""

    steps, batch = T, B

    def __init__(self):
        self.ids = torch.randint(V, (T + 1, B), generator=torch.Generator().manual_seed(4))

    def __call__(self, start, stop):
        return self.ids[start:stop], self.ids[start + 1 : stop + 1]


def make(name):
    torch.manual_seed(3)
    model = LanguageModel(V, embedding_size=E, **MODELS[name]).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5)
    return model


def gradients(model):
    """Every gradient under one name."""
    found = {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
        if not name.endswith("flat")
    }
    for layer in range(model.recurrent.num_layers):
        for name, grad in model.recurrent.weights(layer, grad=True).items():
            found[f"{layer}.{name}"] = grad.clone()
    return found


class Unroll:
    """The same training, written out."""

    def __init__(self, name, k1, k2):
        self.model, self.cell = make(name), MODELS[name]["cell"]
        self.k1, self.k2, self.text = k1, k2, Text()
        self.known = {}  # step -> state before it, as last computed

    def update(self, number):
        """Gradients of one update; the weights then take a step."""
        weights = {
            name: p.detach().clone().requires_grad_() for name, p in self.model.named_parameters()
        }
        stack = []
        for layer in range(self.model.recurrent.num_layers):
            views = self.model.recurrent.weights(layer)
            stack.append({name: v.clone().requires_grad_() for name, v in views.items()})
        begin, end = number * self.k1, min(number * self.k1 + self.k1, T)
        cut = max(0, end - self.k2)
        loss = self.unroll(weights, stack, begin, cut, end)
        loss.backward()
        found = {n: p.grad for n, p in weights.items() if not n.endswith("flat")}
        for layer, views in enumerate(stack):
            found |= {f"{layer}.{name}": view.grad for name, view in views.items()}
        found = {n: torch.zeros(1) if g is None else g for n, g in found.items()}
        return loss.item(), found

    def unroll(self, weights, stack, begin, cut, end):
        start = min(begin, cut)
        state = self.known[start] if start else self.first(weights)
        total = 0.0
        for t in range(start, end):
            if t == cut and cut > 0:
                state = [{name: value.detach() for name, value in one.items()} for one in state]
            self.known[t] = [{n: v.detach() for n, v in one.items()} for one in state]
            x = weights["embedding.weight"][self.text.ids[t]]
            for layer, w in enumerate(stack):
                state = [*state[:layer], self.step(w, x, state[layer]), *state[layer + 1 :]]
                x = state[layer]["h"]
            if t < cut:
                x = x.detach()
            if t >= begin:
                logits = x @ weights["output.weight"].T + weights["output.bias"]
                total = total + cross_entropy(logits, self.text.ids[t + 1], reduction="sum")
        self.known[end] = [{n: v.detach() for n, v in one.items()} for one in state]
        return total / ((end - begin) * B)

    def first(self, weights):
        sizes = self.model.recurrent.hidden_sizes
        if not self.model.learn_state:
            zeros = [torch.zeros(B, size, dtype=torch.float64) for size in sizes]
            return [dict.fromkeys(LINES[self.cell], zero) for zero in zeros]
        return [
            {n: weights[f"recurrent.stack.{i}.learnt_{n}"].expand(B, -1) for n in LINES[self.cell]}
            for i in range(len(sizes))
        ]

    def step(self, w, x, state):
        def net(name):
            mark = f"_{name}" if name else ""
            return x @ w["W" + mark].T + state["h"] @ w["U" + mark].T + w["b" + mark]

        if self.cell == "elman":
            return {"h": torch.tanh(net(""))}
        i, f, o = (torch.sigmoid(net(name)) for name in "ifo")
        c = f * state["c"] + i * torch.tanh(net("g"))
        return {"h": o * torch.tanh(c), "c": c}


def descend(model, found):
    """One step of plain gradient descent on every weight."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith("flat"):
                parameter.sub_(RATE * found[name])
        for layer in range(model.recurrent.num_layers):
            for name, view in model.recurrent.weights(layer).items():
                view.sub_(RATE * found[f"{layer}.{name}"])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("k1", "k2"), WINDOWS)
def test_gradients_and_weights_of_every_update(name, k1, k2):
    model, expected = make(name), Unroll(name, k1, k2)
    bptt = TruncatedBPTT(model, Text(), k1, k2)
    assert bptt.updates == -(-T // k1)
    for number in range(bptt.updates):
        model.zero_grad()
        loss, tokens = bptt.loss(number)
        loss.backward()
        value, grads = expected.update(number)
        assert tokens == B * (min(number * k1 + k1, T) - number * k1)
        assert loss.item() == pytest.approx(value, rel=1e-12)
        for key, grad in gradients(model).items():
            assert_close(grad, grads[key].expand_as(grad).to(grad.dtype), "float64")
        for one in (model, expected.model):
            descend(one, gradients(model))


def test_whole_text_at_once_is_full_bptt():
    """k1 = k2 = T: the gradient of the mean loss of the text, through autograd alone."""
    model = make("deep lstm")
    TruncatedBPTT(model, Text(), T, T).loss(0)[0].backward()
    truncated = gradients(model)
    model.zero_grad()
    ids = Text().ids
    hidden, _ = model(ids[:-1])
    model.losses(hidden, ids[1:]).mean().backward()
    for name, grad in gradients(model).items():
        assert_close(truncated[name], grad, "float64")


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (5, 12), (5, 3)])
def test_a_restored_carry_goes_on_alike(k1, k2):
    model = make("learnt first state")
    straight, stopped = (TruncatedBPTT(model, Text(), k1, k2) for _ in range(2))
    for number in range(straight.updates):
        expected, _ = straight.loss(number)
        carry = stopped.carry()
        stopped = TruncatedBPTT(model, Text(), k1, k2)
        stopped.restore(carry)
        assert_close(stopped.loss(number)[0], expected, "same bits")


def test_an_epoch_begins_at_the_first_state():
    bptt = TruncatedBPTT(make("elman"), Text(), 5, 9)
    first = [bptt.loss(number)[0] for number in range(bptt.updates)]
    bptt.begin()
    for number, loss in enumerate(first):
        assert_close(bptt.loss(number)[0], loss, "same bits")


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (4, 7), (7, 4), (1, 1), (T, T), (40, 6)])
def test_updates_that_end_by_chance_cover_the_text(k1, k2):
    """Every token once, in updates of 1 to 2 k1 - 1 steps, other ones in every epoch."""
    torch.manual_seed(5)
    model = make("elman")
    bptt = TruncatedBPTT(model, Text(), k1, k2, spread=2.0)
    expected, lengths = TruncatedBPTT(model, Text(), T, T).loss(0)[0].item(), []
    for _ in range(3):
        bptt.begin()
        found = [bptt.loss(number) for number in range(bptt.updates)]
        lengths.append([tokens // B for _, tokens in found])
        nats = sum(loss.item() * tokens for loss, tokens in found)
        assert nats / (T * B) == pytest.approx(expected)
        assert sum(lengths[-1]) == T
        assert 1 <= min(lengths[-1]) <= max(lengths[-1]) < 2 * k1
    assert (lengths[0] != lengths[1]) == (1 < k1 < T)


def test_gradients_go_back_to_the_first_new_step_wherever_updates_end():
    torch.manual_seed(5)
    model = make("elman")
    bptt = TruncatedBPTT(model, Text(), 5, 5, spread=2.0)
    ids, at, state = Text().ids, 0, None
    for number in range(bptt.updates):
        model.zero_grad()
        loss, tokens = bptt.loss(number)
        loss.backward()
        found, end = gradients(model), at + tokens // B
        model.zero_grad()
        hidden, state = model(ids[at:end], None if state is None else detached(state))
        model.losses(hidden, ids[at + 1 : end + 1]).mean().backward()
        for name, grad in gradients(model).items():
            assert_close(found[name], grad, "float64")
        at = end


@pytest.mark.parametrize(("k1", "k2"), [(0, 5), (5, 0)])
def test_windows_of_no_steps(k1, k2):
    with pytest.raises(ConfigError, match=f"expected k1 and k2 >= 1, got k1={k1}, k2={k2}"):
        TruncatedBPTT(make("elman"), Text(), k1, k2)
