"""The best symbols of a softmax, against all of its probabilities."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from penstock.engines.best import BestListed, BestSymbols
from penstock.layers.output import Among, Softmax, output_layer

SIZES = [(0, 3, 5, 2), (1, 1, 1, 1), (1, 7, 16, 3), (5, 192, 1000, 10), (33, 17, 101, 4)]
SIZES += [(97, 16, 33, 40), (200, 200, 2000, 10)]


def softmax(depth: int, symbols: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return 0.3 * torch.randn(symbols, depth, dtype=dtype), torch.randn(symbols, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("rows", "depth", "symbols", "number"), SIZES)
def test_best_are_the_largest_of_all(
    rows: int, depth: int, symbols: int, number: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    matrix, bias = softmax(depth, symbols, dtype)
    h = torch.randn(depth, rows, dtype=dtype).T  # not contiguous
    log_p, ids = BestSymbols(matrix, bias)(h, number)
    every = torch.log_softmax(h @ matrix.T + bias, -1)
    torch.testing.assert_close(log_p, every.topk(min(number, symbols)).values)
    torch.testing.assert_close(log_p, every.gather(1, ids))
    assert all(len(set(row)) == len(row) for row in ids.tolist())


@pytest.mark.parametrize("rows", [3, 150])
def test_same_bits_for_one_and_two_threads(rows: int) -> None:
    matrix, bias = softmax(40, 3000, torch.float32)
    best, h, threads = BestSymbols(matrix, bias), torch.randn(rows, 40), torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(best(h, 5))
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, *found))


def test_equal_symbols_come_in_their_order() -> None:
    log_p, ids = BestSymbols(torch.zeros(40, 3), torch.zeros(40))(torch.randn(2, 3), 4)
    assert ids.tolist() == [[0, 1, 2, 3]] * 2
    torch.testing.assert_close(log_p, torch.full((2, 4), -torch.tensor(40.0).log().item()))


def test_what_is_no_number() -> None:
    matrix, bias = torch.eye(4), torch.zeros(4)
    best = BestSymbols(matrix, bias)
    h = torch.zeros(3, 4)
    h[0, 2], h[1, 1] = torch.nan, torch.inf
    log_p, ids = best(h, 2)
    assert log_p[:2].isnan().all()
    assert log_p[2].isfinite().all()
    assert ((ids >= 0) & (ids < 4)).all()
    impossible = torch.tensor([0.0, -torch.inf, 0.0, -torch.inf])
    log_p, ids = BestSymbols(matrix, impossible)(h[2:], 3)
    assert ids[0, :2].tolist() == [0, 2]
    assert log_p[0, 2] == -torch.inf


# -- lists of symbols ------------------------------------------------------------------------------


def some(sizes: list[int], symbols: int) -> Tensor:
    """So many symbols of each list, drawn by chance."""
    places = torch.rand(len(sizes), symbols).argsort(1).argsort(1)
    return places < torch.tensor(sizes)[:, None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("depth", [1, 16, 37])
def test_best_of_a_list_are_the_largest_of_it(depth: int, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    matrix, bias = softmax(depth, 200, dtype)
    lists = some([1, 16, 17, 200, 130, 3], 200)
    rows = torch.arange(6).repeat_interleave(torch.tensor([5, 0, 1, 30, 2, 7]))
    h = torch.randn(len(rows), depth, dtype=dtype)
    log_p, ids = BestListed(matrix, bias, lists)(h, rows, 6)
    for n, row in enumerate(rows.tolist()):
        own = lists[row].nonzero()[:, 0]
        among = torch.log_softmax(matrix[own] @ h[n] + bias[own], -1)
        found = among.topk(min(6, len(own)))
        torch.testing.assert_close(log_p[n, : len(found.values)], found.values)
        assert ids[n, : len(found.values)].tolist() == own[found.indices].tolist()
        assert (log_p[n, len(found.values) :] == -torch.inf).all()


def test_lists_have_the_same_bits_for_one_and_two_threads() -> None:
    matrix, bias = softmax(40, 3000, torch.float32)
    lists, rows = some([900] * 9, 3000), torch.arange(9).repeat_interleave(5)
    best, h, threads = BestListed(matrix, bias, lists), torch.randn(45, 40), torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(best(h, rows, 5))
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize("projection", [0, 4])
def test_an_output_among_some_of_its_symbols(projection: int) -> None:
    torch.manual_seed(1)
    output, h = Softmax(6, 50, projection=projection), torch.randn(3, 6)
    possible = some([3, 50], 50)
    among = Among(output, possible).of(torch.tensor([0, 1, 1]))
    log_p = among.log_p(h)
    torch.testing.assert_close(log_p.exp().sum(1), torch.ones(3))
    torch.testing.assert_close(log_p[1:], output.log_p(h[1:]))
    assert torch.equal(log_p[0].isfinite(), possible[0])
    slow = among.best(h, 3)
    with torch.no_grad():
        fast = among.best(h, 3)
    for one, other in zip(slow, fast, strict=True):
        torch.testing.assert_close(one, other)


# -- output layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "hierarchical"])
def test_an_output_finds_its_best(name: str) -> None:
    torch.manual_seed(1)
    output, h = output_layer(name, 6, 50, projection=4), torch.randn(3, 6)
    with torch.no_grad():
        for _ in range(2):
            log_p, ids = output.best(h, 7)
            torch.testing.assert_close(log_p, output.log_p(h).topk(7).values)
            torch.testing.assert_close(log_p, output.log_p(h).gather(1, ids))
            for weight in output.parameters():
                weight.mul_(-2)  # seen at once


def test_best_of_an_output_has_a_gradient_where_one_is_asked_for() -> None:
    output, h = Softmax(3, 9), torch.randn(2, 3, requires_grad=True)
    output.best(h, 2)[0].sum().backward()
    assert h.grad is not None
    assert output.best(h.detach().double().float(), 20)[0].shape == (2, 9)
