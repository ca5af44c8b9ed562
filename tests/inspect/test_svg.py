"""What a figure is when it stands in a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from penstock.inspect import curves, figures, heatmaps
from penstock.inspect.trace import Flow, Trace
from penstock.metrics.perplexity import Perplexity

ODD = ["<b>", "&amp;", '"', "'", "$x$", "\x00", "\n", "日本", "🜁", "\u202e", "", "\ud800", "]]>"]
COST = Perplexity(20.0, 10)
UPDATES = [
    {"kind": "update", "epoch": 1, "update": step, "lr": 0.1, "loss": 5.0 - step / 10}
    | {"grad_norm": 1.0, "grad_norms": {"layer0.W_i": 0.5, "layer0.b": 0.0, "output.bias": 2.0}}
    for step in range(1, 9)
]
EPOCHS = [
    {"kind": "epoch", "epoch": 1, "update": 8, "lr": 0.1, "train_loss": 4.0, "valid_loss": None},
]


def _traces(size=4):
    values = np.linspace(0, 1, len(ODD) * size).reshape(len(ODD), size)
    gate = Trace(1, "i", "input <gate> & more", False, (0.0, 1.0), values)
    return [gate, Trace(1, "h", "", True, None, values - 0.5)]


FIGURES = {
    "learning": lambda: curves.learning([*UPDATES, *EPOCHS]),
    "learning without updates": lambda: curves.learning(EPOCHS),
    "comparison": lambda: curves.comparison([("<a>", EPOCHS), ("<a>", EPOCHS)]),
    "layer norms": lambda: curves.layer_norms(UPDATES, clip=5.0),
    "weight norms": lambda: curves.weight_norms(UPDATES),
    "frequency": lambda: figures.frequency({"unknown": COST, "1–9": COST}),
    "one bucket": lambda: figures.frequency({"unknown": COST}),
    "position": lambda: figures.position({1: COST, 2: COST, 7: COST}),
    "one position": lambda: figures.position({1: COST}),
    "flow": lambda: figures.gradient_flow([Flow(2, "c", np.array([0.0, 0.1, 1e-30]))]),
    "activity": lambda: heatmaps.activity(_traces(), ODD),
    "no gates": lambda: heatmaps.activity(_traces()[1:], ODD),
    "one unit": lambda: heatmaps.activity(_traces(1), ODD),
    "saturation": lambda: heatmaps.saturation(_traces()),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figures_stand_alone(draw):
    text = draw()
    root = ElementTree.fromstring(text.encode(errors="replace"))
    assert root.tag == "svg"
    assert root.get("viewBox")
    assert "http" not in text
    assert "<style" not in text
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = {element.get("href") for element in root.iter()} - {None}
    assert {link[1:] for link in links if not link.startswith("data:")} <= set(ids)
    assert {clip[1:] for clip in re.findall(r"url\((#[^)]+)\)", text)} <= set(ids)


def test_the_same_data_is_the_same_text():
    assert FIGURES["activity"]() == FIGURES["activity"]()


def test_figures_share_no_id():
    texts = [FIGURES[name]() for name in ("learning", "position", "flow")]
    ids = [identity for text in texts for identity in re.findall(r' id="([^"]+)"', text)]
    assert ids
    assert len(ids) == len(set(ids))


def test_colours_follow_the_page():
    text = FIGURES["learning"]()
    assert "var(--series-1, #0072b2)" in text
    assert re.search(r"(?:fill|stroke): #", text) is None


def test_words_are_shown_in_their_order():
    words = ["plain", "<b>", "a&b", "$5", "日本"]
    values = np.random.default_rng(0).random((5, 3))
    text = heatmaps.activity([Trace(1, "h", "", True, None, values)], words)
    shown = [element.text for element in ElementTree.fromstring(text).iter("text")]
    assert shown[: len(words)] == words


def test_norms_of_a_family_are_joined():
    rows = [{"layer1.U_i": 3.0, "layer1.U_f": 4.0, "layer1.b": None, "embedding.weight": 2.0}]
    groups = curves.grouped(rows)
    assert groups["layer 2"]["U"].tolist() == [5.0]
    assert np.isnan(groups["layer 2"]["b"]).all()
    assert groups["embedding and output"]["embedding"].tolist() == [2.0]


def test_long_logs_are_thinned_to_their_last_line():
    many = [UPDATES[0] | {"update": step} for step in range(1, 5001)]
    assert len(curves.layer_norms(many)) < 40_000
