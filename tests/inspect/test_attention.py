"""Heat maps of attention, as what a reader sees of them."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from penstock.errors import ConfigError, ShapeError
from penstock.inspect.attention import MOST, Attention, attention_maps
from penstock.inspect.save import save
from penstock.inspect.style import drawing

ODD = ["<b>", "&amp;", "$x$", "\x00", "日本", "🜁", "\u202e", "Straßenbahnhaltestelleninfrastruktur"]


def make_map(source, target, title=""):
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source)), len(target))
    return Attention(source, target, weights, title)


def axes_of(figure, number=0):
    return figure.axes[number]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_source_runs_across_and_target_down():
    figure = attention_maps([make_map(["ein", "Hund", "<eos>"], ["a", "dog"], "a title")])
    axes = axes_of(figure)
    assert labels(axes.xaxis) == ["ein", "Hund", "↵"]
    assert labels(axes.yaxis) == ["a", "dog"]
    assert axes.xaxis.get_ticks_position() == "top"
    (top, bottom) = axes.get_ylim()[::-1]
    assert top < bottom
    assert "a title" in [text.get_text() for text in axes.texts]
    assert figure.axes[1].get_ylabel() == "attention weight"


def test_cells_are_the_weights_and_square():
    attention = make_map(list("abcd"), list("uvwxyz"))
    figure = attention_maps([attention])
    axes = axes_of(figure)
    assert np.array_equal(axes.images[0].get_array(), attention.weights)
    assert axes.images[0].get_clim() == (0, 1)
    box = axes.get_window_extent()
    assert box.width / 4 == pytest.approx(box.height / 6)


def test_cells_are_of_one_size_in_all_maps_and_rows_begin_together():
    maps = [
        make_map(list("ab"), list("xyz")),
        make_map(["a" * 15] * 5, list("xy")),
        *2 * [make_map("a", "b")],
    ]
    figure = attention_maps(maps, columns=2)
    boxes = [axes.get_window_extent() for axes in figure.axes[:4]]
    for box, attention in zip(boxes, maps, strict=True):
        assert box.width / len(attention.source) == pytest.approx(boxes[0].width / 2)
    assert boxes[0].y1 == pytest.approx(boxes[1].y1)
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[2].y1 < boxes[0].y0


@pytest.mark.parametrize("words", [ODD, ["x"] * MOST, ["a"]])
def test_every_label_lies_inside_the_figure(words):
    figure = attention_maps([make_map(words, words[::-1], "a very long title " * 3)])
    axes = axes_of(figure)
    frame = figure.bbox
    texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts]
    with drawing():
        boxes = [text.get_window_extent() for text in texts]
    for box in boxes:
        assert frame.x0 - 2 <= box.x0
        assert box.x1 <= frame.x1 + 2
        assert box.y1 <= frame.y1 + 2


@pytest.mark.parametrize(
    ("ending", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")]
)
def test_files(tmp_path, ending, start):
    path = save(attention_maps([make_map(ODD, ODD)]), tmp_path / f"new/map{ending}")
    assert path.read_bytes().startswith(start)
    if ending == ".SVG":
        texts = [
            one.text for one in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
        ]
        assert texts[: len(ODD)] == [
            "<b>",
            "&amp;",
            "$x$",
            "␀",
            "日本",
            "🜁",
            "�",
            "Straßenbahnhaltestel…",
        ]


def test_the_same_data_is_the_same_file(tmp_path):
    for ending in (".png", ".svg"):
        first, second = (
            save(attention_maps([make_map("ab", "cd")]), tmp_path / f"{n}{ending}").read_bytes()
            for n in range(2)
        )
        assert first == second


def test_mistakes(tmp_path):
    with pytest.raises(ShapeError, match=r"weights \(target words, source words\) = \(1, 2\)"):
        Attention(["a", "b"], ["c"], np.ones((2, 1)))
    with pytest.raises(ShapeError, match="at least one word each"):
        Attention([], ["c"], np.ones((1, 0)))
    with pytest.raises(ConfigError, match="at most 150 words, got 151"):
        attention_maps([make_map(["a"] * 151, ["b"])])
    with pytest.raises(ConfigError, match=r"map.gif: expected a name ending in .pdf, .png, .svg"):
        save(attention_maps([make_map("a", "b")]), tmp_path / "map.gif")
