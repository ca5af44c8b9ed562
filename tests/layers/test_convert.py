"""nn.RNN, nn.LSTM and nn.GRU: the same results, the same gradients, both ways."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from penstock.cells import CELLS
from penstock.equations import parse, transform
from penstock.errors import ConfigError
from penstock.layers.recurrent import Recurrent
from tests.tolerances import assert_close

D, H, T, B = 4, 5, 7, 3

MODULES = {
    "tanh": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "projection": (nn.LSTM, {"proj_size": 3}),
    "gru": (nn.GRU, {}),
}
STACKS = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "two layers both ways": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
}
TYPES = {"float32": torch.float32, "float64": torch.float64}


def run(module, xs, state):
    """Outputs, end state, and the gradients of a random loss for inputs and state."""
    leaves = [leaf.detach().clone().requires_grad_() for leaf in (xs, *state)]
    hidden = tuple(leaves[1:])
    ys, end = module(leaves[0], hidden if len(hidden) > 1 else hidden[0])
    end = end if isinstance(end, tuple) else (end,)
    torch.manual_seed(9)
    loss = sum((torch.randn_like(value) * value).sum() for value in (ys, *end))
    module.zero_grad()
    loss.backward()
    return [ys, *end, *(leaf.grad for leaf in leaves)]


def gradients_by_our_names(module):
    """A layer whose weights are PyTorch's gradients; two biases of one gate have the same."""
    mirror = copy.deepcopy(module)
    with torch.no_grad():
        for (name, ours), theirs in zip(
            mirror.named_parameters(), module.parameters(), strict=True
        ):
            ours.copy_(theirs.grad)
            if name.startswith("bias_hh"):
                apart = 2 * module.hidden_size if isinstance(module, nn.GRU) else None
                ours[:apart] = 0
    return Recurrent.from_torch(mirror)


def check_parity(module, layer, kind):
    dtype = next(module.parameters()).dtype
    xs = torch.randn(T, B, D, dtype=dtype)
    ways = module.num_layers * (1 + module.bidirectional)
    widths = [module.proj_size or H, H] if isinstance(module, nn.LSTM) else [H]
    state = [torch.randn(ways, B, width, dtype=dtype) for width in widths]
    xs = xs.transpose(0, 1) if module.batch_first else xs
    for ours, theirs in zip(run(layer, xs, state), run(module, xs, state), strict=True):
        assert_close(ours, theirs, kind)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize(("module", "options"), MODULES.values(), ids=MODULES)
def test_from_torch_and_back(module, options, stack, kind):
    module = module(D, H, **options, **stack).to(TYPES[kind])
    layer = Recurrent.from_torch(module)
    assert layer.stack[0].flat.dtype == TYPES[kind]
    check_parity(module, layer, kind)
    if stack.get("bias", True):
        expected = gradients_by_our_names(module)
        for index in range(module.num_layers):
            for way in range(layer.directions):
                gradients = layer.weights(index, way, grad=True)
                for name, view in expected.weights(index, way).items():
                    scale = view.abs().max().clamp(min=1)  # of what cancels in a sum
                    assert_close(gradients[name] / scale, view / scale, kind)
    check_parity(layer.to_torch(), layer, kind)


def test_equations_that_pytorch_has_convert_under_any_name():
    module = Recurrent(f"{CELLS['lstm'].equations}", D, H).to_torch()
    assert isinstance(module, nn.LSTM)
    assert isinstance(Recurrent("irnn", D, H).to_torch(), nn.RNN)


def test_training_mode_and_dropout_are_kept():
    module = nn.LSTM(D, H, 2, dropout=0.5).eval()
    layer = Recurrent.from_torch(module)
    assert (layer.dropout, layer.training) == (0.5, False)
    back = layer.to_torch()
    assert (back.dropout, back.training) == (0.5, False)


def test_padded_batch_is_a_packed_sequence():
    module = nn.GRU(D, H, bidirectional=True).double()
    layer = Recurrent.from_torch(module)
    xs, lengths = torch.randn(T, B, D, dtype=torch.float64), torch.tensor([7, 4, 1])
    packed, end = module(nn.utils.rnn.pack_padded_sequence(xs, lengths))
    expected, _ = nn.utils.rnn.pad_packed_sequence(packed)
    ys, state = layer(xs, lengths=lengths)
    assert_close(ys, expected, "float64")
    assert_close(state.h, end, "float64")


def sign_flips(name):
    """The cell's text with one + or - turned into the other."""
    text = CELLS[name].equations
    places = [i for i, letter in enumerate(text) if letter in "+-" and text[i + 1] == " "]
    return [text[:i] + "-+"[text[i] == "-"] + text[i + 1 :] for i in places]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (module, text)
        for module, name in ((nn.RNN, "elman"), (nn.LSTM, "lstm"), (nn.GRU, "gru-pytorch"))
        for text in sign_flips(name)
    ],
)
def test_a_sign_flipped_in_the_equations_is_noticed(module, text):
    module = module(D, H).double()
    right = Recurrent.from_torch(module)
    wrong = Recurrent(parse(text), D, H).double()
    for name, view in wrong.weights().items():
        view.copy_(right.weights()[name])
    check_parity(module, right, "float64")
    with pytest.raises(AssertionError):
        check_parity(module, wrong, "float64")


REFUSALS = {
    "cell": (lambda: Recurrent("mgu", D, H), "no cell with the equations of 'mgu'"),
    "equations": (
        lambda: Recurrent("h = tanh(W @ x)", D, H),
        "no cell with the equations of 'cell'",
    ),
    "hidden sizes": (lambda: Recurrent("lstm", D, [4, 5], 2), "layers of different hidden sizes"),
    "regulariser": (
        lambda: Recurrent(transform.weight_drop(CELLS["lstm"].program(), 0.5), D, H),
        "equations of 'lstm', regularisers included. It has nn.LSTM, nn.LSTM with",
    ),
    "first state": (lambda: Recurrent("gru-pytorch", D, H, learn_state=True), "learnt first state"),
}


@pytest.mark.parametrize(("make", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_pytorch_does_not_have(make, message):
    with pytest.raises(ConfigError) as caught:
        make().to_torch()
    assert message in str(caught.value)


def test_what_is_no_recurrent_module():
    with pytest.raises(ConfigError, match=r"expected nn\.RNN, nn\.LSTM or nn\.GRU, got Linear"):
        Recurrent.from_torch(nn.Linear(2, 2))
