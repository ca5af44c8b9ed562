"""The cross entropy of a softmax beside float64, in compiled code and by PyTorch's operations."""

from __future__ import annotations

import pytest
import torch

from penstock.engines import entropy
from penstock.engines.entropy import cross_entropy_


def oracle(logits, targets, smoothing):
    """Losses and the gradient of their sum."""
    logits = logits.double().clone().requires_grad_()
    losses = torch.nn.functional.cross_entropy(
        logits, targets, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    losses.sum().backward()
    return losses.detach(), logits.grad


@pytest.fixture(params=["compiled", "by PyTorch"])
def way(request, monkeypatch):
    if request.param == "by PyTorch":
        monkeypatch.setattr(entropy, "is_recorded", lambda *_: True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("symbols", [1, 2, 15, 16, 17, 100, 10_001])
def test_losses_and_gradient(way, symbols, smoothing):
    logits = 5 * torch.randn(40, symbols) + 1000 * torch.randn(40, 1)
    targets = torch.randint(-1, symbols, (40,))
    losses, grad = oracle(logits, targets, smoothing)
    kept = logits.clone()
    found = cross_entropy_(kept, targets, smoothing=smoothing, gradient=True)
    torch.testing.assert_close(found.double(), losses, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(kept.double(), grad, rtol=1e-4, atol=1e-6)
    again = cross_entropy_(logits.clone(), targets, smoothing=smoothing)
    torch.testing.assert_close(again, found, rtol=1e-6, atol=1e-6)


def test_far_and_infinite_logits(way):
    logits = torch.tensor([[0.0, -200.0, -torch.inf] + [-300.0] * 20, [torch.nan] + [0.0] * 22])
    targets = torch.tensor([1, 1])
    losses = cross_entropy_(logits, targets, gradient=True)
    assert losses[0] == 200.0
    assert losses[1].isnan()
    assert logits[0, :3].tolist() == [1.0, -1.0, 0.0]
    assert logits[1].isnan().all()


def test_no_rows_and_targets_that_are_no_symbols(way):
    assert cross_entropy_(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)).shape == (0,)
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        cross_entropy_(torch.zeros(2, 5), torch.tensor([1, 5]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types(dtype):
    logits, targets = torch.randn(6, 9).to(dtype), torch.randint(9, (6,))
    losses, grad = oracle(logits, targets, 0.0)
    found = cross_entropy_(logits, targets, gradient=True)
    assert found.dtype == logits.dtype == dtype
    near = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(found.double(), losses, **near)
    torch.testing.assert_close(logits.double(), grad, **near)


def test_a_column_of_a_wider_matrix():
    wide = torch.randn(8, 30)
    logits, targets = wide[:, 5:15], torch.randint(10, (8,))
    losses, grad = oracle(logits.clone(), targets, 0.0)
    found = cross_entropy_(logits, targets, gradient=True)
    torch.testing.assert_close(found.double(), losses, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(wide[:, 5:15].double(), grad, rtol=1e-5, atol=1e-6)
