"""Large products: near the exact sum in any layout, and the same for any number of threads."""

from __future__ import annotations

import ctypes
import mmap
import sys

import pytest
import torch
from torch.nn import functional as F

from penstock._native import has_tiles
from penstock.engines import product
from penstock.engines.precision import is_strict, products_in
from penstock.engines.product import linear, multiply
from penstock.layers.recurrent import Recurrent

needs_tiles = pytest.mark.skipif(not has_tiles(), reason="the processor has no tile registers")
SHAPES = [
    (1, 1, 1),
    (1, 40, 3),
    (16, 32, 16),
    (17, 33, 31),
    (33, 7, 100),
    (100, 200, 48),
    (300, 65, 20),
    (40, 2100, 70),
    (520, 1030, 300),
]


@pytest.fixture
def any_size(monkeypatch):
    """Small products take the same way as large ones."""
    monkeypatch.setattr(product, "_WORTH", 0)
    monkeypatch.setattr(product, "_FEWEST", 1)
    monkeypatch.setattr(product, "_ALONE", 1)


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(params=["none", "ieee"])
def switch(request):
    """PyTorch's switch, as it stands and as it is for float32 and nothing else."""
    own = torch.backends.mkldnn.matmul
    before, own.fp32_precision = own.fp32_precision, request.param
    yield request.param
    own.fp32_precision = before


def operand(rows, columns, layout):
    """A matrix whose rows, or columns, lie side by side, in a wider one or alone."""
    if layout == "columns":
        return torch.randn(columns, rows).T
    if layout == "part":
        return torch.randn(rows, columns + 5)[:, 2 : 2 + columns]
    return torch.randn(rows, columns)


def exact(left, right, start=None):
    """The product in float64, and the sum of what is added up."""
    whole = left.double() @ right.double()
    size = left.double().abs() @ right.double().abs()
    return (whole, size) if start is None else (whole + start.double(), size + start.double().abs())


def assert_near(found, left, right, start=None):
    """By the sizes that are added up or, where whole numbers stand for a line, by its largest."""
    whole, size = exact(left, right, start)
    largest = left.abs().amax(1, keepdim=True) * right.abs().amax(0)
    more = 0 if is_strict() else 2**-22 * len(right) ** 0.5 * largest
    assert ((found - whole).abs() <= 1e-6 * size + more).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("left_layout", ["rows", "columns", "part"])
@pytest.mark.parametrize("right_layout", ["rows", "columns", "part"])
def test_near_the_exact_sum(any_size, switch, threads, shape, left_layout, right_layout):
    rows, depth, columns = shape
    left = operand(rows, depth, left_layout)
    right = operand(depth, columns, right_layout)
    assert_near(multiply(left, right), left, right)


@pytest.mark.parametrize("start", ["row", "matrix", "part", "out"])
@pytest.mark.parametrize("shape", SHAPES)
def test_start_and_out(any_size, shape, start):
    rows, depth, columns = shape
    left, right = torch.randn(rows, depth), torch.randn(columns, depth).T
    given = {
        "row": torch.randn(columns),
        "matrix": torch.randn(rows, columns),
        "part": torch.randn(rows, columns + 3)[:, 1 : 1 + columns],
        "out": torch.randn(rows, columns),
    }[start]
    before = given.clone()
    out = given if start == "out" else torch.full((rows, columns), torch.nan)
    assert multiply(left, right, start=given, out=out) is out
    assert_near(out, left, right, before)


def guarded(rows, columns, at_end):
    """Random numbers right before or after a page that must not be touched."""
    size, page = rows * columns * 4, mmap.PAGESIZE
    pages = -(-size // page)
    memory = mmap.mmap(-1, (pages + 2) * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (base, base + (pages + 1) * page):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(guard), page, 0) == 0
    first = (pages + 1) * page - size if at_end else page
    numbers = torch.frombuffer(memory, dtype=torch.float32, count=rows * columns, offset=first)
    return numbers.view(rows, columns).copy_(torch.randn(rows, columns))


@pytest.mark.skipif(sys.platform != "linux", reason="pages are protected as Linux does it")
@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("shape", SHAPES[:-2])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_nothing_beside_the_operands_is_touched(any_size, at_end, shape, turned):
    rows, depth, columns = shape
    sizes = ((rows, depth), (depth, columns))
    left, right = (
        guarded(*size[::-1], at_end).T if turn else guarded(*size, at_end)
        for size, turn in zip(sizes, turned, strict=True)
    )
    start, out = guarded(1, columns, at_end)[0], guarded(rows, columns, at_end)
    multiply(left, right, start=start, out=out)
    assert_near(out, left, right, start)


def relative_error(found, left, right):
    whole = left.double() @ right.double()
    return float((found - whole).norm() / whole.norm())


@needs_tiles
@pytest.mark.parametrize("switch", ["ieee"], indirect=True)
def test_pieces_are_nearer_than_the_units_for_float32(any_size, switch):
    left, right = torch.randn(300, 650), torch.randn(650, 400)
    ours = relative_error(multiply(left, right), left, right)
    assert ours < relative_error(left @ right, left, right)


@needs_tiles
def test_whole_numbers_are_as_near_as_the_units_for_float32(any_size):
    left, right = torch.randn(300, 650), torch.randn(650, 400)
    ours = relative_error(multiply(left, right), left, right)
    assert ours < 1.5 * relative_error(left @ right, left, right)


@needs_tiles
@pytest.mark.parametrize("uneven", ["left", "right", "both"])
def test_uneven_lines(any_size, threads, uneven):
    """Where whole numbers would lose the small ones in both operands, pieces take over."""
    left, right = torch.randn(64, 4000), torch.randn(4000, 96)
    if uneven != "right":
        left[:, 7] *= 1e6
    if uneven != "left":
        right[9] *= 1e6
    if uneven == "both":
        left[:, 9] = right[7] = 0
    ours = relative_error(multiply(left, right), left, right)
    assert ours < 3 * relative_error(left @ right, left, right)


@pytest.mark.parametrize("shape", SHAPES)
def test_small_whole_numbers_stay_exact(any_size, shape):
    rows, depth, columns = shape
    left = torch.randint(-99, 100, (rows, depth)).float()
    right = torch.randint(-9, 10, (depth, columns)).float()
    assert torch.equal(multiply(left, right).double(), left.double() @ right.double())


def test_every_bit_of_a_number_counts(any_size):
    numbers = torch.randn(50, 70) * torch.logspace(-20, 30, 70)
    assert torch.equal(multiply(numbers, torch.eye(70)), numbers)
    assert torch.equal(multiply(torch.eye(50), numbers), numbers)


@pytest.mark.parametrize("odd", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_infinity_and_nan_as_in_pytorch(any_size, odd, precision):
    if precision == "bfloat16" and not has_tiles():
        pytest.skip("the processor has no tile registers")
    left, right = torch.randn(40, 50), torch.randn(50, 40)
    left[3, 4] = odd
    with products_in(precision):
        found = multiply(left, right)
    expected = left @ right
    assert torch.equal(found[3].isnan(), expected[3].isnan())
    assert torch.equal(found[3].isposinf(), expected[3].isposinf())
    assert found[torch.arange(40) != 3].isfinite().all()


def test_no_rows_columns_or_depths():
    for rows, depth, columns in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        found = multiply(torch.randn(rows, depth), torch.randn(depth, columns))
        assert torch.equal(found, torch.zeros(rows, columns))


def test_the_same_bits_for_any_number_of_threads(any_size):
    left, right, found = torch.randn(300, 1200), torch.randn(1200, 170), []
    before = torch.get_num_threads()
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        found.append(multiply(left, right))
    torch.set_num_threads(before)
    if has_tiles():
        assert torch.equal(found[0], found[1])
        assert torch.equal(found[0], found[2])


@needs_tiles
@pytest.mark.parametrize("shape", SHAPES)
def test_operands_rounded_to_bfloat16(any_size, shape):
    rows, depth, columns = shape
    left, right = torch.randn(rows, depth), torch.randn(columns, depth).T
    whole, size = exact(left.bfloat16().float(), right.bfloat16().float())
    with products_in("bfloat16"):
        assert ((multiply(left, right) - whole).abs() <= 1e-6 * size).all()


def test_gradients_of_first_and_second_order(any_size):
    def derivatives(function):
        torch.manual_seed(5)
        x, matrix = torch.randn(4, 9, 33), torch.randn(20, 33)
        x.requires_grad_()
        matrix.requires_grad_()
        y = function(x, matrix)
        first = torch.autograd.grad(y.square().sum(), (x, matrix), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, matrix))
        return [y, *first, *second]

    for one, other in zip(derivatives(linear), derivatives(F.linear), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.detach().abs().max()))


def test_what_is_not_float32_in_memory_is_left_to_pytorch(any_size):
    x, matrix = torch.randn(40, 50), torch.randn(30, 50)
    assert torch.equal(linear(x.double(), matrix.double()), F.linear(x.double(), matrix.double()))
    seen = torch.vmap(lambda row: linear(row, matrix))(x[:, None])
    assert torch.allclose(seen, F.linear(x[:, None], matrix), atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x, matrix).dtype == torch.bfloat16


@needs_tiles
def test_a_layer_takes_them(monkeypatch):
    taken, real = [], product.multiply_large

    def noted(*arguments):
        taken.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(product, "multiply_large", noted)
    layer, xs = Recurrent("lstm", 200, 200), torch.randn(20, 20, 200, requires_grad=True)
    layer(xs)[0].sum().backward()
    assert len(taken) == 4  # the input's product, its two gradients, and the recurrent matrices'
