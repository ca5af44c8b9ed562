"""Where an encoder puts phrases: its last states on the plane on which they differ most.

Sutskever, Vinyals & Le 2014, figure 2 (lecture 000, "PCA of vectors from last time step hidden
layer"): phrases of the same words in another order lie apart, and those that say the same in
another construction lie together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from penstock.errors import ConfigError, DataError, ShapeError
from penstock.inspect.labels import label_points
from penstock.inspect.style import RULE, colours, drawing

__all__ = ["PHRASES", "PhraseSet", "phrase_map", "principal_plane", "read_phrases"]

_SIDE = 5.4


@dataclass(frozen=True)
class PhraseSet:
    """Phrases of one panel, those that mean the same together.

    Attributes:
        groups: each of at least one phrase.
        title: over the panel.
    """

    groups: tuple[tuple[str, ...], ...]
    title: str = ""

    @property
    def phrases(self) -> list[str]:
        """All in their order."""
        return [phrase for group in self.groups for phrase in group]


PHRASES = (
    PhraseSet(
        (
            ("John respects Mary", "John admires Mary", "John is in love with Mary"),
            ("Mary respects John", "Mary admires John", "Mary is in love with John"),
        ),
        "who does it",
    ),
    PhraseSet(
        (
            (
                "I gave her a card in the garden",
                "In the garden , I gave her a card",
                "She was given a card by me in the garden",
            ),
            (
                "She gave me a card in the garden",
                "In the garden , she gave me a card",
                "I was given a card by her in the garden",
            ),
        ),
        "who gives to whom",
    ),
)
"""Those of the paper's figure 2."""


def read_phrases(text: str) -> list[PhraseSet]:
    """Phrases, one a line; a blank line begins another group, a line with # another panel.

    Raises:
        DataError: there is no phrase.

    >>> read_phrases("# order\\nA sees B\\n\\nB sees A\\n")
    [PhraseSet(groups=(('A sees B',), ('B sees A',)), title='order')]
    """
    panels: list[tuple[str, list[list[str]]]] = [("", [[]])]
    for line in map(str.strip, text.split("\n")):
        if line.startswith("#"):
            panels.append((line.lstrip("# "), [[]]))
        elif line:
            panels[-1][1][-1].append(line)
        elif panels[-1][1][-1]:
            panels[-1][1].append([])
    found = [
        PhraseSet(tuple(tuple(group) for group in groups if group), title)
        for title, groups in panels
        if any(groups)
    ]
    if not found:
        raise DataError("phrases: expected at least one phrase, got none.")
    return found


def principal_plane(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components of some vectors, and their shares of the variance.

    Raises:
        ShapeError: there are fewer than 3 vectors, or of less than 2 numbers.

    Shapes:
        (N, D) -> (N, 2), (2,)
    """
    if states.ndim != 2 or states.shape[0] < 3 or states.shape[1] < 2:
        raise ShapeError(
            f"principal_plane: expected at least 3 vectors of 2 numbers, got {states.shape}. "
            "Give more phrases."
        )
    if np.allclose(states, states[0]):
        raise ConfigError(
            "principal_plane: expected vectors that differ, got the same for all phrases. "
            "Choose phrases whose words the model knows."
        )
    from sklearn.decomposition import PCA

    found = PCA(n_components=2, svd_solver="full")
    return found.fit_transform(states.astype(np.float64)), found.explained_variance_ratio_


def phrase_map(panels: Sequence[PhraseSet], states: Sequence[np.ndarray]) -> Figure:
    """One panel for each set of phrases, each on a plane of its own.

    Args:
        panels: at least one.
        states: (N, D) of each, in the order of its phrases.

    Raises:
        ShapeError: there are fewer than 3 phrases in a panel.
        ConfigError: their states are all the same.
    """
    with drawing():
        figure = Figure((_SIDE * len(panels), 0.8 * _SIDE), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel, vectors in zip(row, panels, states, strict=True):
            _panel(axes, panel, vectors)
        figure.draw_without_rendering()  # so that the place of every point is known
        figure.set_layout_engine("none")
        for axes, panel, vectors in zip(row, panels, states, strict=True):
            label_points(axes, principal_plane(vectors)[0], panel.phrases, _colours(panel))
    return figure


def _panel(axes: Axes, panel: PhraseSet, states: np.ndarray) -> None:
    plane, shares = principal_plane(states)
    axes.scatter(plane[:, 0], plane[:, 1], s=26, color=_colours(panel), zorder=3)
    axes.axhline(0, color=RULE, lw=0.6, zorder=0)
    axes.axvline(0, color=RULE, lw=0.6, zorder=0)
    axes.grid(False)
    axes.margins(0.45, 0.15)
    axes.set_aspect("equal", adjustable="datalim")  # distances are those of the plane
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set_title(panel.title + _legend(panel))
    axes.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second component ({shares[1]:.0%})")


def _legend(panel: PhraseSet) -> str:
    """What the colours mean, where there are several."""
    if len(panel.groups) == 1:
        return ""
    return (": " if panel.title else "") + "one colour, one meaning"


def _colours(panel: PhraseSet) -> list[str]:
    """That of each phrase is its group's."""
    groups = zip(panel.groups, colours(len(panel.groups)), strict=True)
    return [colour for group, colour in groups for _ in group]
