"""Phrases on the plane of their principal components, and labels that cover nothing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from penstock.errors import ConfigError, DataError, ShapeError
from penstock.inspect.labels import label_points
from penstock.inspect.phrases import (
    PHRASES,
    PhraseSet,
    phrase_map,
    principal_plane,
    read_phrases,
)

RANDOM = np.random.default_rng(0)


def test_the_plane_is_that_of_the_eigenvectors_of_the_covariance():
    states = RANDOM.normal(size=(9, 5)) * [5, 0.1, 3, 0.1, 1]
    plane, shares = principal_plane(states)
    values, vectors = np.linalg.eigh(np.cov(states.T))
    expected = (states - states.mean(0)) @ vectors[:, ::-1][:, :2]
    assert np.abs(plane) == pytest.approx(np.abs(expected))
    assert shares == pytest.approx(values[::-1][:2] / values.sum())


def test_points_in_a_plane_keep_their_distances():
    flat = RANDOM.normal(size=(6, 2)) @ np.linalg.qr(RANDOM.normal(size=(4, 4)))[0][:2]
    plane, shares = principal_plane(flat)
    for a, b in combinations(range(6), 2):
        assert np.linalg.norm(plane[a] - plane[b]) == pytest.approx(
            np.linalg.norm(flat[a] - flat[b])
        )
    assert shares.sum() == pytest.approx(1)


def test_the_map_shows_every_phrase_in_the_colour_of_its_group():
    states = [RANDOM.normal(size=(len(panel.phrases), 8)) for panel in PHRASES]
    figure = phrase_map(PHRASES, states)
    for axes, panel, vectors in zip(figure.axes, PHRASES, states, strict=True):
        assert [text.get_text() for text in axes.texts] == panel.phrases
        assert axes.get_title(loc="left") == f"{panel.title}: one colour, one meaning"
        assert axes.get_aspect() == 1
        (points,) = axes.collections
        assert np.array_equal(points.get_offsets(), principal_plane(vectors)[0])
        colours = [text.get_color() for text in axes.texts]
        assert len(set(colours[:3])) == len(set(colours[3:])) == 1
        assert colours[0] != colours[3]
        share = principal_plane(vectors)[1][0]
        assert f"{share:.0%}" in axes.get_xlabel()


def test_labels_lie_on_neither_each_other_nor_a_point():
    """Twelve points, six of them in a heap."""
    points = np.concatenate([RANDOM.normal(size=(6, 2)), RANDOM.normal(size=(6, 2)) * 0.02])
    figure = Figure((6, 5))
    axes = figure.subplots()
    axes.scatter(*points.T)
    axes.margins(0.5)
    figure.draw_without_rendering()
    label_points(axes, points, [f"a phrase, number {n}" for n in range(12)], ["black"] * 12)
    figure.draw_without_rendering()
    extents = [Text.get_window_extent(text).padded(-1) for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    spots = axes.transData.transform(points)
    assert not any(box.contains(*spot) for box in extents for spot in spots)
    assert all(axes.bbox.padded(2).contains(*corner) for box in extents for corner in box.corners())


def test_phrases_are_read_in_groups_and_panels():
    text = "a b\nb a\n\n\nc\n# second panel\n\nd\n  \n e f \n"
    assert read_phrases(text) == [
        PhraseSet((("a b", "b a"), ("c",))),
        PhraseSet((("d",), ("e f",)), "second panel"),
    ]
    assert read_phrases("x\u2028y")[0].phrases == ["x\u2028y"]


def test_mistakes():
    with pytest.raises(DataError, match="at least one phrase"):
        read_phrases("# a title\n\n")
    with pytest.raises(ShapeError, match=r"at least 3 vectors of 2 numbers, got \(2, 4\)"):
        principal_plane(np.ones((2, 4)))
    with pytest.raises(ConfigError, match="the same for all phrases"):
        phrase_map([PhraseSet((("a", "b", "c"),))], [np.ones((3, 4))])
