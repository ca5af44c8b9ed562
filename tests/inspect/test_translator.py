"""Looking into translators with weights as they start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError
from penstock.inspect.translator import alignments, encoder_states, search_trees
from penstock.layers.attention import decoder_program
from penstock.models.translator import Translator
from penstock.search import Beam, Entry
from penstock.text import Preparation, SentenceTokeniser
from penstock.translation.outputs import of_list, rescore, searched
from penstock.translation.system import System
from tests.translation.translated import translated

LINES = ["ein kleiner Hund läuft", "eine Katze schläft", "der Hund schläft im Haus"]
TARGETS = ["a small dog runs", "a cat sleeps", "the dog sleeps in the house"]


def tokenisers(kind):
    size = 280 if kind == "bpe" else None
    preparation = Preparation("none")
    return [
        SentenceTokeniser.train(text * 5, kind, vocab_size=size, preparation=preparation)
        for text in (LINES, TARGETS)
    ]


@pytest.fixture
def make_system():
    """A translator that has learnt nothing."""

    def make(kind="word", *, attention="additive", seed=0, **options):
        torch.manual_seed(seed)
        source, target = tokenisers(kind)
        decoder = decoder_program("gru", attention) if attention != "none" else "gru"
        model = Translator(
            source.vocab_size,
            target.vocab_size,
            "gru",
            decoder,
            embedding_size=6,
            hidden_size=7,
            **options,
        )
        return System(Path(f"model{seed}"), model.eval(), source, target, {})

    return make


@pytest.mark.parametrize("kind", ["word", "bpe", "character"])
@pytest.mark.parametrize("words", [True, False])
def test_maps_are_of_the_translation_that_won(make_system, kind, words):
    system, options = make_system(kind), Beam(2, max_length=9)
    found = [one.hypotheses[0] for one in translated([system], LINES, options)]
    for line, best, shown in zip(
        LINES, found, alignments([system], LINES, options, words=words), strict=True
    ):
        assert shown.weights.sum(1) == pytest.approx(np.ones(len(shown.target)))
        assert shown.source[-1] == shown.target[-1] == "<eos>"
        names = system.target.tokeniser.tokens
        if words:
            assert shown.source[:-1] == line.split()
        else:
            assert shown.source[:-1] == system.source.tokens(line)
            assert shown.target[:-1] == [names[id] for id in best.ids]
        assert "".join(shown.target[:-1]).replace(" ", "") == "".join(
            names[id] for id in best.ids
        ).replace(" ", "")


def test_pieces_of_a_word_are_added_up_and_averaged(make_system):
    system = make_system("bpe")
    (pieces,) = alignments([system], LINES[:1], Beam(1, max_length=9), words=False)
    (words,) = alignments([system], LINES[:1], Beam(1, max_length=9))
    across = system.source.word_numbers(system.source.encode(LINES[0]))
    first = [column for column, number in enumerate(across) if number == 0]
    assert len(first) > 1 or len(words.source) < len(pieces.source)
    last = pieces.weights[-1]
    assert words.weights[-1, 0] == pytest.approx(last[first].sum())
    assert words.weights[-1, -1] == pytest.approx(last[-1])


def test_unknown_words_are_shown_as_the_line_has_them(make_system):
    system, line = make_system(), "ein grüner Hund"
    (shown,) = alignments([system], [line], Beam(1, max_length=4))
    assert shown.source == ["ein", "grüner", "Hund", "<eos>"]
    (shown,) = alignments([system], [line], Beam(1, max_length=4), words=False)
    assert shown.source == ["ein", "<unk>", "Hund", "<eos>"]


def test_empty_lines_have_no_map_and_no_tree(make_system):
    system = make_system()
    assert len(alignments([system], ["", LINES[0], " "], Beam(1, max_length=4))) == 1
    assert [tree.source for tree in search_trees([system], ["", LINES[0]], Beam(1))] == LINES[:1]


def test_without_attention_there_is_nothing_to_see(make_system):
    system = make_system(attention="none", first_state="last")
    with pytest.raises(ConfigError, match="model0: expected a translator with attention"):
        alignments([system], LINES, Beam(1, max_length=4))


def test_trees_are_those_of_the_search(make_system):
    systems, options = [make_system(), make_system(seed=1)], Beam(3, max_length=6)
    trees = search_trees(systems, LINES, options)
    found = [one.hypotheses[0].ids for one in translated(systems, LINES, options)]
    assert [list(tree.winner) for tree in trees] == found
    assert all(len(tree.nodes) > 3 for tree in trees)


def test_states_do_not_depend_on_the_phrases_beside(make_system):
    system = make_system(bidirectional=True, first_state="mean")
    together = encoder_states(system, LINES)
    assert together.shape == (3, 14)
    alone = np.concatenate([encoder_states(system, [line]) for line in LINES])
    assert together == pytest.approx(alone, abs=1e-6)


def test_outputs_of_a_search(make_system):
    systems, told = [make_system(), make_system(seed=1)], []
    found = searched("both", systems, LINES, Beam(2, max_length=5), progress=told.append)
    texts = [one.texts[0] for one in translated(systems, LINES, Beam(2, max_length=5))]
    assert list(found.hyps) == texts
    assert (found.name, found.beam, sum(told)) == ("both", 2, 3)
    size = sum(weight.numel() for weight in systems[0].model.parameters())
    assert found.parameters == 2 * size
    assert found.seconds > 0


def lists_of(scores, **features):
    return [
        [Entry(n, text, features, score) for text, score in zip(TARGETS, scores, strict=True)]
        for n in range(3)
    ]


def log_p(system, line, text):
    """Of a text, one word after the other."""
    ids = torch.tensor([[*system.source.encode(line), system.source.eos_id]]).T
    given = system.model.given(ids, torch.tensor([len(ids)]))
    state, before, total, target = given.start(1), system.target.bos_id, 0.0, system.target
    targets = [*target.encode(text), target.eos_id]
    for symbol in targets:
        log_ps, state = given.step(torch.tensor([before]), state)
        total, before = total + float(log_ps[0, symbol]), symbol
    return total, len(targets)


@pytest.mark.parametrize("own", [False, True])
def test_rescoring_is_the_even_average(make_system, own):
    system = make_system()
    lists = lists_of([-1.0, -2.0, -3.0], **({"logp": (-9.0,)} if own else {}))
    with torch.no_grad():
        found = rescore([system], LINES, lists)
        for line, entries in zip(LINES, found, strict=True):
            expected = {}
            for text, score in zip(TARGETS, [-1.0, -2.0, -3.0], strict=True):
                total, length = log_p(system, line, text)
                expected[text] = ((-9 + total) / length if own else score + total) / 2
            assert {e.text: e.score for e in entries} == pytest.approx(expected, rel=1e-4)
            scores = [entry.score for entry in entries]
            assert scores == pytest.approx(sorted(expected.values(), reverse=True), rel=1e-4)


def test_rows_of_a_list(make_system):
    lists = [[*own[::-1]] for own in lists_of([-1.0, -2.0, -3.0])]
    rows = list(of_list("list", [*lists[:2], []], LINES, {"one": [make_system()]}, TARGETS))
    first, again, bound = rows
    assert [row.name for row in rows] == ["list", "list rescored by one", "oracle of list"]
    assert first.hyps == [TARGETS[2], TARGETS[2], ""]
    assert again.parameters
    assert bound.hyps == [TARGETS[0], TARGETS[1], ""]
    assert bound.is_bound
