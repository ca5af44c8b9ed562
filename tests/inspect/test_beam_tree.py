"""The page of a beam search: what stands where, against a search small enough to follow."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from penstock.inspect.beam_tree import BeamTree, write_beam_trees
from penstock.search import Beam, Score, Tree, beam_search
from penstock.search.tree import Node
from tests.inspect.test_report import Page
from tests.search.exhaustive import BOS, EOS, Toy

WORDS = ["<eos>", "<b>", "a&b", "haus", "\x00"]
# a -> (b -> end, c), d pruned; c wins with the end after it.
NODES = [
    Node(-1, 0, 3, math.log(0.5), math.log(0.5), "kept"),
    Node(-1, 0, 2, math.log(0.2), math.log(0.2), "pruned"),
    Node(0, 1, 0, math.log(0.25), math.log(0.125), "finished"),
    Node(0, 1, 1, math.log(0.1), math.log(0.05), "kept"),
    Node(3, 2, 0, math.log(1.0), math.log(0.05), "finished"),
]
TREE = BeamTree(NODES, WORDS, [3, 1], EOS, Score("average"), "ein <Haus>")


def drawing(folder, *trees):
    """The groups of the nodes in order, with their class, lines of the hint, corner and texts."""
    text = write_beam_trees(folder / "tree.html", trees, title="a <title>").read_text("utf-8")
    page = Page(text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert page.links == []
    (svg,) = re.findall(r'<svg class="beam" role.*?</svg>', text, re.DOTALL)
    root = ElementTree.fromstring(svg)
    return root, [_node(group) for group in root.iter("g")], page


def _node(group):
    box = group.find("rect")
    texts = [text.text for text in group.findall("text")]
    corner = float(box.get("x")), float(box.get("y"))
    return group.get("class"), group.find("title").text.split("\n"), corner, texts


def test_each_node_shows_its_word_its_probability_and_its_fate(tmp_path):
    _, nodes, page = drawing(tmp_path, TREE)
    assert [(kind, texts) for kind, _, _, texts in nodes] == [
        ("kept won", ["haus", "50%"]),
        ("kept won", ["<b>", "10%"]),
        ("finished won", ["↵ −1.00", "100%"]),
        ("finished", ["↵ −1.04", "25%"]),
        ("pruned", ["a&b", "20%"]),
    ]
    shown = "".join(page.text)
    assert "ein <Haus>" in shown
    assert "haus <b>" in shown
    assert "5 continuations compared, 2 hypotheses finished" in shown


def test_hints_tell_the_hypothesis_and_its_cost(tmp_path):
    _, nodes, _ = drawing(tmp_path, TREE)
    assert nodes[2][1] == [
        "haus <b> <eos>",
        "log p of the word 0.000, of all -2.996",
        "finished, score -0.9986",
    ]
    assert nodes[4][1][::2] == ["a&b", "pruned"]


def test_what_won_lies_on_the_topmost_line_and_steps_run_to_the_right(tmp_path):
    _, nodes, _ = drawing(tmp_path, TREE)
    winners = [corner for kind, _, corner, _ in nodes if "won" in kind]
    assert len({y for _, y in winners}) == 1
    assert [x for x, _ in winners] == sorted({x for x, _ in winners})
    assert all(y >= winners[0][1] for _, _, (_, y), _ in nodes)


def test_after_its_end_the_line_of_the_winner_stays_empty(tmp_path):
    other = Node(1, 1, 2, math.log(0.9), math.log(0.18), "kept")
    nodes = [*NODES, other, Node(5, 2, 2, -0.5, -2.2, "kept"), Node(6, 3, 2, -0.5, -2.7, "kept")]
    tree = BeamTree(nodes, WORDS, [3, 1], EOS, Score("average"))
    _, shown, _ = drawing(tmp_path, tree)
    top = shown[0][2][1]
    last = max(x for _, _, (x, _), _ in shown)
    assert all(y > top for _, _, (x, y), _ in shown if x == last)


@pytest.mark.parametrize("word", ["a", "WWWWWWWWWWWWWW", "Straßenbahnhaltestelle"])
def test_words_and_probabilities_fit_their_boxes(tmp_path, word):
    """By the letters of a wide font at 12 pixels, the box is wider than both."""
    tree = BeamTree([Node(-1, 0, 0, math.log(0.001), -7.0, "kept")], [word], [], EOS, Score())
    root, _, _ = drawing(tmp_path, tree)
    box, (left, right) = next(root.iter("rect")), list(next(root.iter("g")).findall("text"))
    font = FontProperties(family="DejaVu Sans", size=12)
    width = sum(
        TextPath((0, 0), text.text, prop=font).get_extents().width for text in (left, right)
    )
    assert width < float(right.get("x")) - float(left.get("x"))
    assert float(right.get("x")) < float(box.get("x")) + float(box.get("width"))


def test_columns_are_steps(tmp_path):
    root, _, _ = drawing(tmp_path, TREE)
    assert [text.text for text in root.findall("text")] == ["step 1", "step 2", "step 3"]


def test_a_node_holds_what_follows_it_so_that_hovering_lights_up_the_path(tmp_path):
    root, _, _ = drawing(tmp_path, TREE)
    first, *_ = root.findall("g")
    nested = [[one.get("class") for one in group.iter("g")] for group in root.findall("g")]
    assert nested == [["kept won", "kept won", "finished won", "finished"], ["pruned"]]
    assert len(first.findall("g")) == 2
    assert [group.find("path") is None for group in root.iter("g")] == [
        True,
        False,
        False,
        False,
        True,
    ]


def searched(**options):
    model, options = Toy(5, seed=3), Beam(**{"size": 4, "max_length": 6, **options})
    tree = Tree(EOS)
    (found,) = beam_search(model, 1, options, start_id=BOS, eos_id=EOS, recorder=tree)
    score = options.score()
    return [
        BeamTree(nodes, WORDS, found[0].ids, EOS, score) for nodes in tree.nodes.values()
    ], found


def test_a_search(tmp_path):
    """Boxes do not lie on each other, lines do not cross, and the winner has the best score."""
    (tree,), found = searched()
    _, nodes, _ = drawing(tmp_path, tree)
    corners = [corner for _, _, corner, _ in nodes]
    assert len(nodes) == len(set(corners)) == len(tree.nodes)
    winners = [hint for kind, hint, _, _ in nodes if "won" in kind]
    assert len(winners) == len(found[0].ids) + 1
    assert f"score {found[0].score:.4f}" in winners[-1][2]


def test_lines_do_not_cross(tmp_path):
    (tree,), _ = searched()
    root, _, _ = drawing(tmp_path, tree)
    lines = [re.findall(r"-?[\d.]+", path.get("d")) for path in root.iter("path")]
    ends = sorted((float(x0), float(y0), float(y1)) for x0, y0, *_, y1 in lines)
    for column in {x for x, _, _ in ends}:
        ordered = [y1 for x, _, y1 in ends if x == column]
        assert ordered == sorted(ordered)


def test_the_winner_of_another_group_is_not_marked(tmp_path):
    trees, _ = searched(groups=2, diversity=2.0)
    assert len(trees) == 2
    marked = [any("won" in node[0] for node in drawing(tmp_path, tree)[1]) for tree in trees]
    assert sum(marked) == 1


@pytest.mark.parametrize("nodes", [[], NODES[:2]])
def test_a_search_without_an_answer(tmp_path, nodes):
    root, shown, _ = drawing(tmp_path, BeamTree(nodes, WORDS, [], EOS, Score()))
    assert len(shown) == len(nodes)
    assert float(root.get("width")) > 0


def test_a_deep_tree(tmp_path):
    """Deeper than Python's stack."""
    nodes = [Node(n - 1, n, 3, -0.1, -0.1 * n, "kept") for n in range(3000)]
    path = write_beam_trees(
        tmp_path / "deep.html", [BeamTree(nodes, WORDS, [], EOS, Score())], title=""
    )
    assert path.read_text("utf-8").count("<g ") == 3000 + 4
