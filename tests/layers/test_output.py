"""Output layers: one table, each exact at evaluation, each trained towards the full softmax."""

from __future__ import annotations

import copy
import heapq
import itertools
import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from penstock.engines.precision import rounded
from penstock.errors import ConfigError
from penstock.layers.output import OUTPUTS, ClassSoftmax, output_layer
from penstock.layers.output.huffman import huffman

V, WIDTH = 23, 16
COUNTS = torch.tensor([(37 * i) % 101 ** (i % 3) for i in range(V)])
EXACT = ["full", "class", "hierarchical", "adaptive"]
SAMPLED = ["sampled", "nce"]
SHAPES = [
    {},
    {"projection": 17},
    {"vocab_size": 2},
    {"vocab_size": 3},
    {"classes": 1},
    {"classes": V},
    {"counts": None},
    {"counts": torch.zeros(V, dtype=torch.long)},
    {"counts": 3 ** torch.arange(V)},
]


def layer_with(name, options=()):
    torch.manual_seed(0)
    options = {"vocab_size": V, "counts": COUNTS} | dict(options)
    size = options.pop("vocab_size")
    if options["counts"] is not None:
        options["counts"] = options["counts"][:size]
    layer = output_layer(name, WIDTH, size, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return layer


def test_an_option_that_is_none():
    with pytest.raises(TypeError, match="clases"):
        output_layer("class", WIDTH, V, clases=3)


def rows(layer, count=9):
    targets = torch.arange(count) % layer.vocab_size
    h = torch.randn(count, WIDTH, dtype=torch.double)
    return h.requires_grad_(), targets


@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("name", OUTPUTS)
def test_probabilities_sum_to_one_and_losses_are_theirs(name, options):
    layer = layer_with(name, options).eval()
    h, targets = rows(layer, 40)
    log_p = layer.log_p(h)
    assert log_p.shape == (40, layer.vocab_size)
    assert torch.allclose(log_p.exp().sum(-1), torch.ones(40, dtype=torch.double))
    losses = layer.losses(h, targets)
    assert torch.allclose(losses, -log_p[range(40), targets])
    assert torch.allclose(layer.loss(h, targets), losses.sum())
    assert torch.allclose(layer.log_p(h.view(5, 8, WIDTH)), log_p.view(5, 8, -1))


@pytest.mark.parametrize("name", EXACT)
def test_gradients_are_those_of_the_probabilities(name):
    layer = layer_with(name, {"projection": 17})
    h, targets = rows(layer)
    weights = [h, *layer.parameters()]
    expected = torch.autograd.grad(-layer.log_p(h)[range(9), targets].sum(), weights)
    for loss in (layer.losses(h, targets).sum(), layer.loss(h, targets)):
        found = torch.autograd.grad(loss, weights)
        for a, b in zip(found, expected, strict=True):
            assert torch.allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_gradient_is_the_same_whoever_asks_again_and_whatever_was_done_to_it(name):
    layer = layer_with(name)
    h, targets = rows(layer)
    loss = layer.loss(h, targets)
    weights = [h, *layer.parameters()]
    found = torch.autograd.grad(loss * 3, weights, retain_graph=True, allow_unused=True)
    kept = [None if grad is None else grad.clone() for grad in found]
    for grad in found:
        if grad is not None:
            grad.zero_()
    again = torch.autograd.grad(loss, weights, allow_unused=True)
    for one, other in zip(kept, again, strict=True):
        assert one is None or torch.allclose(one, other * 3)


@pytest.mark.parametrize("name", EXACT)
def test_gradients_against_finite_differences(name):
    layer = layer_with(name)
    h, targets = rows(layer, 3)
    assert torch.autograd.gradcheck(lambda h: layer.losses(h, targets), h)


@pytest.mark.parametrize("name", OUTPUTS)
def test_padding_costs_nothing(name):
    layer = layer_with(name).eval()
    h, targets = rows(layer)
    padded = targets.where(torch.arange(9) % 3 > 0, -1)
    losses = layer.losses(h, padded)
    assert (losses[::3] == 0).all()
    assert torch.allclose(losses[padded >= 0], layer.losses(h, targets)[padded >= 0])
    assert torch.allclose(layer.loss(h, padded), losses.sum())
    (dh,) = torch.autograd.grad(layer.train().loss(h, padded), h)
    assert (dh[::3] == 0).all()
    assert (dh[1::3] != 0).any()
    assert layer.loss(h, torch.full((9,), -1)).item() == 0


@pytest.mark.parametrize("name", OUTPUTS)
def test_counts_are_saved_with_the_weights(name):
    layer = layer_with(name)
    other = output_layer(name, WIDTH, V).double().eval()
    h, _ = rows(layer)
    other.log_p(h)  # arranged for other counts, which must be forgotten
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.log_p(h), layer.eval().log_p(h))


def relative_error(name, samples, h, targets):
    """Of the gradient, towards that of the full softmax with the same weights."""
    layer = layer_with(name, {"samples": samples})
    full = layer_with("full")
    with torch.no_grad():  # make the sum over the vocabulary V, as noise contrast presumes
        full.bias += math.log(V) - full(h).logsumexp(-1).mean()
    layer.load_state_dict(full.state_dict(), strict=False)
    found, expected = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, inputs)])
        for loss, inputs in (
            (layer.train().loss(h, targets), [h, *layer.parameters()]),
            (full.loss(h, targets), [h, *full.parameters()]),
        )
    )
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", SAMPLED)
def test_gradient_of_a_sample_converges_to_the_full_one(name):
    torch.manual_seed(5)
    h = torch.randn(1, WIDTH, dtype=torch.double, requires_grad=True)
    h, targets = h.expand(3, -1), torch.tensor([0, 7, 19])
    errors = [relative_error(name, samples, h, targets) for samples in (40, 4000, 400_000)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.01


def test_sampled_softmax_estimates_the_sum_without_bias():
    """The mean over draws of Z = p(t)^-1 exp(s_t), by its definition."""
    layer = layer_with("sampled", {"samples": 5}).train()
    h, targets = rows(layer, 1)
    scores = layer(h)[0]
    sums = [(layer.loss(h, targets) + scores[targets[0]]).exp().item() for _ in range(4000)]
    assert sum(sums) / 4000 == pytest.approx(scores.exp().sum().item(), rel=0.05)


def test_noise_contrastive_loss_by_hand():
    layer = layer_with("nce", {"samples": 6}).train()
    h, targets = rows(layer, 4)
    torch.manual_seed(3)
    found = layer.loss(h, targets)
    q = COUNTS.clamp(min=1).double() ** 0.75
    q = q / q.sum()
    torch.manual_seed(3)
    noise = torch.multinomial(q, 6, replacement=True)
    expected = 0.0
    for row, target in zip(layer(h).detach(), targets, strict=True):
        p = row.exp() / V
        expected -= float(torch.log(p[target] / (p[target] + 6 * q[target])))
        expected -= sum(float(torch.log(6 * q[w] / (p[w] + 6 * q[w]))) for w in noise)
    assert found.item() == pytest.approx(expected)


def test_class_softmax_by_hand():
    layer = layer_with("class", {"classes": 4})
    found = layer.arrangement
    order = found.places.argsort()
    h, _ = rows(layer, 1)
    of_class = torch.softmax(layer.class_weight @ h[0] + layer.class_bias, 0)
    start = 0
    for number, size in enumerate(found.sizes):
        members = slice(start, start + size)
        within = torch.softmax(layer.weight[members] @ h[0] + layer.bias[members], 0)
        p = layer.log_p(h)[0].exp()[order[members]]
        assert torch.allclose(p, of_class[number] * within)
        start += size


@pytest.mark.parametrize("classes", [1, 2, 5, 22, 23])
@pytest.mark.parametrize("counts", [COUNTS, 10 ** torch.arange(V).clamp(max=12), torch.zeros(V)])
def test_classes_go_by_frequency_and_none_is_empty(classes, counts):
    found = ClassSoftmax(4, V, classes=classes, counts=counts).arrangement
    assert len(found.sizes) == classes
    assert sum(found.sizes) == V
    assert min(found.sizes) >= 1
    by_place = counts[found.places.argsort()]
    assert (by_place.diff() <= 0).all()


def test_classes_of_equal_shares():
    """Four counts of 1 weigh as much as one of 16, their square roots being added."""
    counts = torch.tensor([1, 16, 1, 1, 1])
    found = ClassSoftmax(4, 5, classes=2, counts=counts).arrangement
    assert found.sizes == [1, 4]
    assert found.class_of[found.places].tolist() == [1, 0, 1, 1, 1]


def shortest(counts):
    """The least sum of count times length of any code, by merging: the sum of all merges."""
    queue, total = list(counts), 0
    heapq.heapify(queue)
    while len(queue) > 1:
        merged = heapq.heappop(queue) + heapq.heappop(queue)
        total += merged
        heapq.heappush(queue, merged)
    return total


@pytest.mark.parametrize("counts", [*itertools.product([1, 2, 7], [1, 3], [2, 30], [5], [1, 4])])
def test_huffman_tree_is_a_shortest_code(counts):
    above, side = huffman(list(counts))
    lengths, codes = [], set()
    for node in range(len(counts)):
        code = ""
        while above[node] != node:
            node, code = above[node], ("r" if side[node] > 0 else "l") + code  # noqa: PLW2901
        lengths.append(len(code))
        codes.add(code)
    assert sum(2.0**-length for length in lengths) == 1
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    assert sum(c * n for c, n in zip(counts, lengths, strict=True)) == shortest(counts)


def test_adaptive_softmax_is_pytorchs_over_ordered_symbols():
    layer = layer_with("adaptive")
    h, targets = rows(layer)
    order = COUNTS.argsort(descending=True, stable=True)
    places = torch.tensor([order.tolist().index(target) for target in targets])
    expected = -layer.softmax(h, places).output
    assert torch.allclose(layer.losses(h, targets), expected)


def test_a_copy_of_a_tied_layer_goes_with_the_copied_embedding():
    model = nn.ModuleList([nn.Embedding(V, WIDTH)])
    model.append(output_layer("full", WIDTH, V, tied=model[0]))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].weight.zero_()
    h = torch.randn(1, WIDTH)
    assert torch.equal(other[1](h), torch.zeros(1, V))
    assert torch.equal(model[1](h), F.linear(h, model[0].weight))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fall", {}, "unknown output 'fall'. Did you mean 'full'"),
        ("class", {"tied": nn.Embedding(V, WIDTH)}, "full, sampled, nce.*got output='class'"),
        ("sampled", {"tied": nn.Embedding(V, 5)}, "Set embedding=16, or projection=5"),
        ("class", {"classes": V + 1}, f"classes from 1 to vocab_size={V}"),
        ("adaptive", {"projection": 15}, "a width of at least 16"),
        ("adaptive", {"vocab_size": 1}, "vocab_size >= 2"),
    ],
)
def test_impossible_outputs(name, options, message):
    with pytest.raises(ConfigError, match=message):
        layer_with(name, options)


# -- the full softmax of a few rows ----------------------------------------------------------------


@pytest.mark.parametrize("rows", [(), (1,), (3,), (2, 5), (0,), (40,)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_few_rows_are_the_product_of_many(rows, dtype):
    layer, h = output_layer("full", 5, 33, projection=4).to(dtype), torch.randn(*rows, 5).to(dtype)
    expected = F.linear(layer.project(h), layer.weight, layer.bias)
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(layer(h), expected)
            layer.weight.mul_(2)  # seen at once
            expected = F.linear(layer.project(h), layer.weight, layer.bias)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_weights_in_fewer_bits(precision, tied):
    torch.manual_seed(0)
    embedding = nn.Embedding(50, 24) if tied else None
    layer = output_layer("full", 24, 50, tied=embedding).quantise(precision)
    whole = embedding.weight if tied else layer.weight
    near = rounded(whole.detach(), precision)
    assert not torch.equal(near, whole)
    for count in (1, 3, 30):
        h = torch.randn(count, 24)
        expected = torch.log_softmax(F.linear(h, near, layer.bias), -1)
        for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
            with mode():
                torch.testing.assert_close(layer.log_p(h), expected, atol=1e-3, rtol=0)
                found, _ = layer.best(h, 4)
                torch.testing.assert_close(found, expected.topk(4).values, atol=1e-3, rtol=0)
    layer.loss(h, torch.arange(30)).backward()
    assert whole.grad.abs().sum() > 0
    again = pickle.loads(pickle.dumps(layer))
    torch.testing.assert_close(again(h), layer(h))
    layer.quantise("float32")
    torch.testing.assert_close(layer(h), F.linear(h, whole, layer.bias))


def test_fewer_bits_are_of_float32():
    with pytest.raises(ConfigError, match=r"Softmax: weights in int8 .* torch.float64"):
        output_layer("full", 4, 9).double().quantise("int8")
    with pytest.raises(ConfigError, match="Did you mean 'int8'"):
        output_layer("full", 4, 9).quantise("int")
