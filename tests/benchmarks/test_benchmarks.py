"""The benchmarks run, at sizes that take no time; what they measure is not looked at."""

from __future__ import annotations

import torch

from benchmarks import cost, products, translation
from benchmarks.layers import inputs, training
from benchmarks.plain_translator import Plain
from penstock.layers.recurrent import Recurrent
from penstock.search import Beam, beam_search


def test_shares_of_a_training_step():
    found = cost.shares("lstm", (2, 3, 4), 1)
    assert {"loops", "packing", "gradient of U"} < found.keys()
    assert 0 < found["gradient of U"] < 1


def test_curves_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "GRID", {"T": [1, 2], "B": [1, 2]})
    monkeypatch.setattr(cost, "BASE", {"T": 2, "B": 2, "H": 3, "L": 1, "threads": 1})
    threads = torch.get_num_threads()
    try:
        cost.draw(cost.curves(1, 1), tmp_path / "cost.png")
    finally:
        torch.set_num_threads(threads)
    assert (tmp_path / "cost.png").stat().st_size > 1000


def test_products_are_measured():
    for _, left, right in products.operands(3, 4, 5):
        speed, error, of_peer, its_error = products.measure("float32", left, right, 1)
        assert speed > 0
        assert of_peer > 0
        assert max(error, its_error) < 10


def test_layers_train():
    xs = inputs(2, 3, 4)
    layer = Recurrent("gru", 4, 4)
    training(layer, xs)()
    assert layer.stack[0].flat.grad.any()


def test_translators_compute_the_same():
    torch.manual_seed(1)
    ours = translation.translator(20, 4, 5)
    pair, batch = (ours, Plain.of(ours)), translation.made_batch(20, 3)
    losses = [translation.loss(model, batch) for model in pair]
    torch.testing.assert_close(*losses)
    for model in pair:
        translation.training(model, batch)()
        assert any(weight.grad is not None for weight in model.parameters())
        translation.decoding(model.eval(), batch, 2)()


@torch.no_grad()
def test_plain_search_finds_what_ours_finds():
    torch.manual_seed(1)
    ours = translation.translator(50, 4, 5).eval()
    for words in (ours.encoder.words, ours.decoder.words, ours.bridge, ours.output):
        next(words.parameters()).mul_(40)  # sentences differ
    source, lengths = translation.made_batch(50, 8)[:2]
    found = beam_search(ours.given(source, lengths), 8, Beam(1, max_length=9), start_id=0, eos_id=0)
    plain = Plain.of(ours).translate(source, lengths, 1, most=9, start=0, end=0)
    assert [several[0].ids for several in found] == plain
    assert len(set(map(tuple, plain))) > 1
