"""The tree of a beam search as a page: what was compared, what was kept, and what won.

Time runs to the right, each column is a step.  What won lies on the topmost line; below, the
continuations of each hypothesis stand together, the most probable first, so that no lines cross.
After its end the topmost line stays empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rcParams

from penstock.files import write_atomic
from penstock.inspect.heatmaps import shown_word
from penstock.inspect.labels import inches
from penstock.inspect.page import PAGE, escaped
from penstock.inspect.style import drawing
from penstock.search.penalty import Score
from penstock.search.tree import Node

__all__ = ["BeamTree", "write_beam_trees"]

_BETWEEN, _ROW, _LEAST, _HEIGHT, _HEAD = 46, 30, 80, 22, 28
_MARGIN, _FONT, _BOLD = 7, 12, 1.1
_LONGEST = 12
_LOOKS = """
main { max-width: none; }
.beam { font: 12px system-ui, sans-serif; }
.beam text { fill: var(--ink); }
.beam .note { font-size: 11px; }
.beam .step { fill: var(--muted); font-size: 11px; }
.beam rect { fill: var(--series-1); stroke: var(--series-1); }
.beam path { fill: none; stroke: var(--series-1); stroke-width: 1.4; }
.beam .pruned > rect { fill: var(--muted); stroke: var(--muted); stroke-dasharray: 3 2; }
.beam .pruned > path { stroke: var(--rule); }
.beam .finished > rect, .beam .finished > path { stroke: var(--series-3); fill: var(--series-3); }
.beam .finished > path { fill: none; }
.beam .won > rect { stroke: var(--series-2); fill: var(--series-2); stroke-width: 2; }
.beam .won > path { stroke: var(--series-2); stroke-width: 2.6; }
.beam .won > text { font-weight: 600; }
.beam g:hover > rect { stroke: var(--ink); stroke-width: 2.4; stroke-dasharray: none; }
.beam g:hover > path { stroke: var(--ink); stroke-width: 2.4; }
.legend { display: flex; flex-wrap: wrap; gap: 0.4rem 1.6rem; padding: 0; list-style: none; }
.legend svg { vertical-align: -5px; margin-right: 0.4rem; }
"""
_LEGEND = (
    ("won", "won"),
    ("finished", "finished, with its score"),
    ("kept", "kept"),
    ("pruned", "pruned"),
)


@dataclass(frozen=True)
class BeamTree:
    """One search to be drawn.

    Attributes:
        nodes: every continuation that was compared, a parent before its children.
        words: the text of each symbol.
        winner: ids of the best hypothesis, without the end.
        eos_id: the symbol that ends a hypothesis.
        score: how finished hypotheses were ranked.
        source: what was translated.
        space: what stands between words; nothing where they are pieces that bring their own.
    """

    nodes: Sequence[Node]
    words: Sequence[str]
    winner: Sequence[int]
    eos_id: int
    score: Score
    source: str = ""
    space: str = " "

    def text(self, symbols: Iterable[int]) -> str:
        """What symbols spell."""
        return self.space.join(self.words[symbol] for symbol in symbols)


def write_beam_trees(path: Path, trees: Sequence[BeamTree], *, title: str) -> Path:
    """Write one page with every tree, which needs nothing else; hovering lights up a hypothesis.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    body = [f"<header><h1>{escaped(title)}</h1></header>", _legend(), *map(_section, trees)]
    page = PAGE.substitute(title=escaped(title), body="\n".join(body))
    page = page.replace("</style>", f"{_LOOKS}</style>", 1)
    write_atomic(path, page.encode(errors="replace"))
    return path


def _legend() -> str:
    entries = "".join(
        f'<li><svg class="beam" width="26" height="18"><g class="{kind}">'
        f'<rect x="2" y="2" width="22" height="14" rx="4" fill-opacity="0.4"/></g></svg>{what}</li>'
        for kind, what in _LEGEND
    )
    return (
        f'<ul class="legend">{entries}</ul>\n<p class="quiet">The fuller a box, the more probable '
        "its word after the words before it; hover to see the whole hypothesis.</p>"
    )


def _section(tree: BeamTree) -> str:
    finished = sum(node.fate == "finished" for node in tree.nodes)
    return (
        f"<h2>{escaped(tree.source or 'Search')}</h2>\n"
        f"<p>{escaped(tree.text(tree.winner))}</p>\n"
        f'<p class="quiet">{len(tree.nodes):,} continuations compared, '
        f"{finished:,} hypotheses finished.</p>\n"
        f'<div class="scroll">{_Drawing(tree).svg()}</div>'
    )


class _Drawing:
    """The tree as nested groups, so that hovering over a node is hovering over its ancestors."""

    def __init__(self, tree: BeamTree) -> None:
        self.tree = tree
        self.won = _path(tree)
        self.children = _children(tree.nodes, self.won)
        self.row = _rows(tree.nodes, self.children, self.won)
        self.width = self._widest()
        self.step = self.width + _BETWEEN

    def svg(self) -> str:
        steps = 1 + max((node.step for node in self.tree.nodes), default=0)
        width = steps * self.step
        height = _HEAD + _ROW * (1 + max(self.row, default=0)) + 8
        heads = "".join(
            f'<text class="step" x="{step * self.step + 8}" y="14">step {step + 1}</text>'
            for step in range(steps)
        )
        return (
            f'<svg class="beam" role="img" aria-label="Beam search" width="{width}" '
            f'height="{height}">{heads}{"".join(self._groups())}</svg>'
        )

    def _groups(self) -> list[str]:
        """Every node and, within its group, what follows it."""
        parts, waiting = [], [(n, True) for n in reversed(self.children[-1])]
        while waiting:
            n, opens = waiting.pop()
            if not opens:
                parts.append("</g>")
                continue
            parts.append(self._node(n))
            waiting.append((n, False))
            waiting += [(child, True) for child in reversed(self.children[n])]
        return parts

    def _node(self, n: int) -> str:
        node = self.tree.nodes[n]
        x, y = node.step * self.step + 4, self._y(n)
        share = math.exp(node.log_p)
        kind = f"{node.fate} won" if n in self.won else node.fate
        return (
            f'<g class="{kind}"><title>{self._hint(n)}</title>{self._line(n)}'
            f'<rect x="{x}" y="{y}" width="{self.width}" height="{_HEIGHT}" rx="5" '
            f'fill-opacity="{0.04 + 0.5 * share:.2f}"/>'
            f'<text x="{x + _MARGIN}" y="{y + 15}">{escaped(self._word(n))}</text>'
            f'<text class="note" x="{x + self.width - _MARGIN}" y="{y + 15}" text-anchor="end">'
            f"{escaped(_percent(share))}</text>"
        )

    def _word(self, n: int) -> str:
        """A node's word; with its score where the hypothesis ends."""
        node = self.tree.nodes[n]
        word = shown_word(self.tree.words[node.symbol], _LONGEST)
        if node.fate == "finished":
            word += f" {self._score(node):.2f}".replace("-", "−")
        return word

    def _widest(self) -> int:
        """Pixels of a box that has room for every word and its probability."""
        texts = {
            (self._word(n), _percent(math.exp(o.log_p))) for n, o in enumerate(self.tree.nodes)
        }
        with drawing():
            widths = [_pixels(word) + _pixels(share) for word, share in texts]
        return math.ceil(max([_LEAST, *(width + 3 * _MARGIN for width in widths)]))

    def _line(self, n: int) -> str:
        node = self.tree.nodes[n]
        if node.parent < 0:
            return ""
        x0, y0 = (node.step - 1) * self.step + 4 + self.width, self._y(node.parent) + _HEIGHT / 2
        x1, y1 = node.step * self.step + 4, self._y(n) + _HEIGHT / 2
        middle = (x0 + x1) / 2
        return f'<path d="M{x0} {y0:g}C{middle:g} {y0:g} {middle:g} {y1:g} {x1} {y1:g}"/>'

    def _hint(self, n: int) -> str:
        """The hypothesis up to a node, and what it costs."""
        node = self.tree.nodes[n]
        symbols, at = [], n
        while at >= 0:
            symbols.append(self.tree.nodes[at].symbol)
            at = self.tree.nodes[at].parent
        lines = [
            self.tree.text(reversed(symbols)),
            f"log p of the word {node.log_p:.3f}, of all {node.total:.3f}",
            node.fate + (f", score {self._score(node):.4f}" if node.fate == "finished" else ""),
        ]
        return escaped("\n".join(lines))

    def _score(self, node: Node) -> float:
        return node.total / self.tree.score.divisor(node.step + 1)

    def _y(self, n: int) -> int:
        return _HEAD + _ROW * self.row[n]


def _path(tree: BeamTree) -> set[int]:
    """The nodes of the winner and its end; none when another group found it."""
    path, at = [], -1
    for symbol in [*tree.winner, tree.eos_id]:
        after = (n for n, node in enumerate(tree.nodes) if node.parent == at)
        at = next((n for n in after if tree.nodes[n].symbol == symbol), len(tree.nodes))
        path.append(at)
    return set() if at == len(tree.nodes) else set(path)


def _children(nodes: Sequence[Node], won: set[int]) -> dict[int, list[int]]:
    """What follows each node: first what won, then by probability."""
    children: dict[int, list[int]] = {n: [] for n in range(-1, len(nodes))}
    for n, node in enumerate(nodes):
        children[node.parent].append(n)
    for group in children.values():
        group.sort(key=lambda n: (n not in won, -nodes[n].total))
    return children


def _rows(nodes: Sequence[Node], children: dict[int, list[int]], won: set[int]) -> list[int]:
    """The line of each node in its column: below the children of the parents above its own.

    The first is the winner's: it stays empty where the winner has ended.
    """
    row = [0] * len(nodes)
    column = children[-1]
    while column:
        ended = bool(won) and won.isdisjoint(column)
        for place, n in enumerate(column, start=int(ended)):
            row[n] = place
        column = [child for n in column for child in children[n]]
    return row


def _percent(share: float) -> str:
    return "<1%" if share < 0.005 else f"{100 * share:.0f}%"


def _pixels(text: str) -> float:
    """Width of a text in a box, in bold letters of a wide font."""
    return inches(text) * 72 / rcParams["font.size"] * _FONT * _BOLD
