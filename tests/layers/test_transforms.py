"""``torch.func``: gradients of single rows, Jacobians, maps over a new axis."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, grad, jacrev, jvp, vmap

from penstock import Recurrent
from penstock.layers.output import Softmax

CELLS = ("elman", "lstm", "gru")


@pytest.fixture(params=CELLS)
def layer(request):
    return Recurrent(request.param, 3, 4, num_layers=2, engine="native").double()


def texts():
    return torch.randn(5, 6, 2, 3, dtype=torch.double)


@pytest.mark.parametrize("mode", [True, False])
def test_a_map_is_a_loop(layer, mode):
    layer.train(mode)
    xs, lengths = texts(), torch.tensor([6, 4])
    with torch.set_grad_enabled(mode):
        together = vmap(lambda x: layer(x, lengths=lengths)[0])(xs)
        one_by_one = torch.stack([layer(x, lengths=lengths)[0] for x in xs])
    torch.testing.assert_close(together, one_by_one)


@torch.no_grad()
def test_a_map_over_single_steps(layer):
    layer.eval()
    xs = texts()[:, 0]
    _, state = layer(texts()[0])
    together = vmap(lambda x: layer.step(x, state)[0])(xs)
    torch.testing.assert_close(together, torch.stack([layer.step(x, state)[0] for x in xs]))


def test_the_gradient_of_each_text(layer):
    weights = dict(layer.named_parameters())

    def loss(weights, x):
        return functional_call(layer, weights, (x,))[0].square().sum()

    xs = texts()
    each = vmap(grad(loss), (None, 0))(weights, xs)
    for number, x in enumerate(xs):
        layer.zero_grad()
        loss(weights, x).backward()
        for name, weight in layer.named_parameters():
            torch.testing.assert_close(each[name][number], weight.grad)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # by PyTorch's jvp
def test_jacobians_and_directions(layer):
    x = texts()[0]
    jacobian = jacrev(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(
        jacobian, torch.autograd.functional.jacobian(lambda x: layer(x)[0], x)
    )
    along = torch.randn_like(x)
    _, pushed = jvp(lambda x: layer(x)[0], (x,), (along,))
    torch.testing.assert_close(pushed, (jacobian * along).sum((3, 4, 5)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_of_a_softmax(smoothing):
    output = Softmax(4, 9, smoothing=smoothing).double()
    h = torch.randn(5, 6, 4, dtype=torch.double)
    targets = torch.randint(-1, 9, (5, 6))
    for loss in (output.losses, output.loss):
        found = vmap(loss)(h, targets)
        torch.testing.assert_close(
            found, torch.stack([loss(*o) for o in zip(h, targets, strict=True)])
        )
        of_one = grad(lambda h, targets, loss=loss: loss(h, targets).sum())
        leaf = h[0].clone().requires_grad_()
        output.zero_grad()
        loss(leaf, targets[0]).sum().backward()
        torch.testing.assert_close(of_one(h[0], targets[0]), leaf.grad)
    with torch.no_grad():
        torch.testing.assert_close(vmap(output)(h), output(h))
