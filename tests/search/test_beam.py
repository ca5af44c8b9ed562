"""Beam search: against listing every sequence, and against itself one sentence at a time."""

from __future__ import annotations

import math

import pytest
import torch

from penstock.errors import ConfigError
from penstock.models.language import LanguageModel
from penstock.search import Beam, Constraints, Tree, beam_search
from tests.search.exhaustive import BOS, EOS, Toy, every, score_of

SOURCES = (3, 5, 1)
LARGE = 200
"""Hypotheses of a beam that holds every continuation of the toy models below."""


def search(model, batch, options, **rest):
    return beam_search(model, batch, options, start_id=BOS, eos_id=EOS, **rest)


def ids_of(answers):
    return [[hypothesis.ids for hypothesis in several] for several in answers]


# -- against listing everything --------------------------------------------------------------------


@pytest.mark.parametrize("normalise", ["none", "average", "wu"])
@pytest.mark.parametrize("stop", ["bound", "never"])
@pytest.mark.parametrize("coverage", [0.0, 0.5])
def test_large_beam_finds_what_listing_finds(normalise, stop, coverage):
    options = Beam(
        LARGE, 20, max_length=4, normalise=normalise, alpha=0.9, coverage=coverage, stop=stop
    )
    model = Toy(4, sentences=3, sources=SOURCES)
    lengths = torch.tensor(SOURCES)
    answers = search(model, 3, options, source_lengths=lengths, attention=True)
    for sentence, found in enumerate(answers):
        expected = every(model, sentence, 4, score_of(options, words=SOURCES[sentence]))[:20]
        assert [hypothesis.ids for hypothesis in found] == [ids for _, ids in expected]
        assert [hypothesis.score for hypothesis in found] == pytest.approx([s for s, _ in expected])
        for hypothesis in found:
            log_ps, looked = model.row(sentence, hypothesis.ids)
            assert hypothesis.log_ps == pytest.approx(log_ps)
            assert hypothesis.log_p == pytest.approx(sum(log_ps))
            assert torch.equal(hypothesis.attention, torch.stack(looked))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("stop", ["first", "full", "bound", "never"])
def test_answers_are_distinct_in_order_and_priced_right(size, stop):
    model, options = Toy(5, sentences=9), Beam(size, size, max_length=6, stop=stop)
    score = score_of(options)
    for sentence, found in enumerate(search(model, 9, options)):
        assert found
        assert len({tuple(hypothesis.ids) for hypothesis in found}) == len(found)
        scores = [hypothesis.score for hypothesis in found]
        assert scores == sorted(scores, reverse=True)
        expected = [score(*model.row(sentence, hypothesis.ids)) for hypothesis in found]
        assert scores == pytest.approx(expected)


def plain_beam(model, sentence, size, longest, score, prune=math.inf):
    """The textbook's beam search with lists, until every hypothesis has ended."""
    beam, finished = [[]], []
    for _ in range(longest + 1):
        grown = []
        for ids in beam:
            before = sum(model.row(sentence, ids)[0][:-1])
            last = [BOS, BOS, *ids][-2:]
            row = model.log_p[sentence, len(ids), last[0], last[1]].tolist()
            ends = len(ids) == longest
            options = [EOS] if ends else range(model.vocab_size)
            grown += [(before + row[symbol], [*ids, symbol]) for symbol in options]
        grown.sort(key=lambda pair: -pair[0])
        finished += [ids[:-1] for _, ids in grown[:size] if ids[-1] == EOS]
        kept = [(total, ids) for total, ids in grown if ids[-1] != EOS][:size]
        beam = [ids for total, ids in kept if total >= kept[0][0] - prune]
    return max(finished, key=lambda ids: score(*model.row(sentence, ids)))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("normalise", ["none", "average"])
@pytest.mark.parametrize("prune", [0.0, 0.4])
def test_small_beam_does_what_the_textbook_does(size, normalise, prune):
    model = Toy(5, sentences=12, spread=1.0)
    options = Beam(size, max_length=5, normalise=normalise, stop="never", prune=prune)
    found = ids_of(search(model, 12, options))
    score, limit = score_of(options), prune or math.inf
    expected = [plain_beam(model, s, size, 5, score, limit) for s in range(12)]
    assert found == [[ids] for ids in expected]


def test_what_is_pruned_is_not_asked_about():
    asked = []
    for prune in (0.0, 0.4):
        model = Toy(5, sentences=12, spread=1.0)
        search(model, 12, Beam(3, max_length=5, stop="never", prune=prune))
        asked.append(sum(model.calls))
    assert asked[1] < asked[0]


def test_greedy_takes_the_likeliest_symbol():
    model = Toy(6, sentences=5)
    for sentence, (found,) in enumerate(search(model, 5, Beam(1, max_length=5))):
        before, last, expected = BOS, BOS, []
        for step in range(5):
            symbol = int(model.log_p[sentence, step, before, last].argmax())
            if symbol == EOS:
                break
            expected.append(symbol)
            before, last = last, symbol
        assert found.ids == expected


# -- stopping --------------------------------------------------------------------------------------


class Script(Toy):
    """One sentence: the same probabilities in every step."""

    def __init__(self, *p, steps=12):
        super().__init__(len(p), steps=steps)
        self.log_p = torch.tensor(p).double().log().expand(self.log_p.shape)


@pytest.mark.parametrize(
    ("stop", "nbest", "steps"),
    [
        ("first", 1, 3),  # 0.3 ended at once; the best open one falls below it when 0.6^3 < 0.3
        ("first", 2, 4),
        ("full", 1, 3),
        ("never", 1, 11),
    ],
)
def test_when_a_sentence_is_done(stop, nbest, steps):
    model = Script(0.3, 0.1, 0.6)
    options = Beam(3, nbest, max_length=10, stop=stop, normalise="none")
    search(model, 1, options)
    assert len(model.calls) == steps


def test_bound_stops_when_nothing_open_can_win():
    """0.4 for the end at once; the best open one falls below it when 0.6^2 < 0.4."""
    model = Script(0.4, 0.0, 0.6)
    (found,) = search(model, 1, Beam(3, max_length=10, stop="bound", normalise="none"))
    assert found[0].ids == []
    assert len(model.calls) == 2


def test_bound_under_an_average_reckons_with_the_longest():
    """log 0.9 a symbol beats log 0.4 at once, however late the end with 0.1 comes."""
    model = Script(0.1, 0.0, 0.9)
    (found,) = search(model, 1, Beam(3, max_length=10, stop="bound", normalise="average"))
    assert found[0].ids == [2] * 10


def test_finished_sentences_leave_the_batch():
    model = Toy(3, sentences=3, steps=8)
    model.log_p[0, 0, ..., EOS] = 50.0  # beyond all: ends at once
    search(model, 3, Beam(1, max_length=6), constraints=Constraints(max_lengths=[6, 1, 3]))
    assert model.calls[0] == 3
    assert model.calls[1] <= 2
    assert all(number <= 1 for number in model.calls[2:])
    assert len(model.calls) <= 4


# -- batches ---------------------------------------------------------------------------------------


class One:
    """One sentence of a model of many."""

    def __init__(self, model, sentence):
        self.model, self.sentence = model, sentence
        self.step, self.select, self.attention = model.step, model.select, model.attention

    def start(self, batch):
        state = self.model.start(self.sentence + batch)
        return self.model.select(state, torch.arange(self.sentence, self.sentence + batch))


@pytest.mark.parametrize(
    "options",
    [
        {"size": 1},
        {"size": 4, "nbest": 4},
        {"size": 4, "nbest": 2, "normalise": "wu", "coverage": 0.3, "stop": "first"},
        {"size": 6, "nbest": 6, "groups": 3, "diversity": 0.4},
        {"size": 3, "nbest": 3, "no_repeat": 2, "min_length": 3},
        {"size": 5, "nbest": 2, "prune": 1.0, "coverage": 0.2},
        {"size": 40, "nbest": 9, "stop": "bound", "normalise": "none"},
    ],
    ids=str,
)
def test_batch_of_64_is_one_by_one(options):
    lengths = [1 + sentence % 6 for sentence in range(64)]
    model = Toy(7, sentences=64, sources=lengths)
    most = [sentence % 8 for sentence in range(64)]
    phrase = [[], [[2, 3]], [[4], [5, 6]], []]
    must = [phrase[s % 4] if most[s] > 3 else [] for s in range(64)]
    prefixes = [[3] if s % 5 == 1 and most[s] > 5 else [] for s in range(64)]
    for bound in (Constraints(max_lengths=most), Constraints((6,), most, prefixes, must)):
        together = search(
            model,
            64,
            Beam(**options),
            constraints=bound,
            source_lengths=torch.tensor(lengths),
            attention=True,
        )
        for s in range(64):
            alone = Constraints(
                bound.forbidden, most[s : s + 1], bound.prefixes[s : s + 1], bound.must[s : s + 1]
            )
            (single,) = search(
                One(model, s),
                1,
                Beam(**options),
                constraints=alone,
                source_lengths=torch.tensor(lengths[s : s + 1]),
                attention=True,
            )
            assert [h.ids for h in single] == [h.ids for h in together[s]]
            for a, b in zip(single, together[s], strict=True):
                assert a.log_ps == b.log_ps
                assert a.log_p == b.log_p
                assert a.score == pytest.approx(b.score, abs=1e-12)
                assert len(a.attention) == len(a.ids) + 1
                assert torch.equal(a.attention, b.attention)
                assert (b.attention[:, lengths[s] :] == 0).all()


def test_a_language_model_searches_itself():
    """The scores are those of the whole sequences; the state of a hypothesis is its own."""
    torch.manual_seed(0)
    model = LanguageModel(130, "lstm", embedding_size=8, hidden_size=8, num_layers=2).eval()
    model.reset_uniform(1.5)
    (found,) = search(model, 1, Beam(6, 6, max_length=9, min_length=2))
    assert len(found) == 6
    for hypothesis in found:
        ids = torch.tensor([BOS, *hypothesis.ids, EOS])[:, None]
        hidden, _ = model(ids[:-1])
        losses = model.losses(hidden, ids[1:])[:, 0].tolist()
        assert hypothesis.log_ps == pytest.approx([-loss for loss in losses], abs=1e-4)


# -- corners ---------------------------------------------------------------------------------------


def test_empty_batch():
    assert search(Toy(3), 0, Beam()) == []


def test_only_the_end():
    (found,) = search(Script(1.0, 0.0, 0.0), 1, Beam(5, 5))
    assert [hypothesis.ids for hypothesis in found] == [[]]
    assert found[0].log_ps == [0.0]


def test_no_symbols_at_all_but_the_end():
    model = Toy(1)
    model.start = lambda batch: tuple(torch.zeros(4, batch, dtype=torch.long))
    (found,) = beam_search(model, 1, Beam(5), start_id=0, eos_id=0)
    assert found[0].ids == []


def test_no_length_at_all():
    model = Toy(4, sentences=2)
    for sentence, (found,) in enumerate(search(model, 2, Beam(3, max_length=0))):
        assert found.ids == []
        assert found.log_p == pytest.approx(model.row(sentence, [])[0][0])


def test_beam_larger_than_the_vocabulary():
    model = Toy(3)
    found = search(model, 1, Beam(50, 50, max_length=2, stop="never"))
    assert len(found[0]) == 1 + 2 + 4


@pytest.mark.parametrize("wrong", [float("nan"), -float("inf")])
def test_what_has_no_probability_never_comes(wrong):
    model = Toy(200, sentences=1, steps=1)
    model.log_p[..., 3:] = wrong
    model.step, row = lambda ids, state: (row[ids], state), model.log_p[0, 0, 0]
    (found,) = search(model, 1, Beam(20, 20, max_length=2, stop="never"))
    assert len(found) == 7
    assert all(set(hypothesis.ids) <= {1, 2} for hypothesis in found)


@pytest.mark.parametrize("wrong", [float("nan"), -float("inf")])
def test_a_sentence_without_probability_has_no_answer_and_stops_no_other(wrong):
    model = Toy(4, sentences=3)
    expected = search(model, 3, Beam(2, max_length=4))
    model.log_p[1] = wrong
    assert search(model, 3, Beam(2, max_length=4)) == [expected[0], [], expected[2]]


def test_the_models_answer_is_left_alone():
    model = Toy(4)
    before = model.log_p.clone()
    model.step = lambda ids, state: (model.log_p[0, 0, 0, : len(ids)], state)
    search(model, 1, Beam(2, max_length=3, min_length=1, no_repeat=1))
    assert torch.equal(model.log_p, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size >= 1, got size=0"),
        ({"size": 2, "nbest": 3}, "nbest of at most size, got nbest=3, size=2"),
        ({"max_length": 2, "min_length": 3}, "max_length of at least min_length"),
        ({"normalise": "avrage"}, "Did you mean 'average'"),
        ({"stop": "ever"}, "unknown stop 'ever'. Did you mean 'never'"),
        ({"alpha": -1.0}, "alpha >= 0"),
        ({"coverage": float("nan")}, "coverage >= 0"),
        ({"groups": 2}, "a size that groups divides, got size=5, groups=2"),
        ({"no_repeat": -1}, "no_repeat"),
        ({"prune": float("nan")}, "prune >= 0, got no_repeat=0, diversity=0.5, prune=nan"),
    ],
    ids=str,
)
def test_impossible_options(options, message):
    with pytest.raises(ConfigError, match=message):
        Beam(**options)


def test_coverage_without_attention():
    with pytest.raises(ConfigError, match="expected a model with attention"):
        search(Toy(4), 1, Beam(coverage=0.2))


# -- the tree --------------------------------------------------------------------------------------


def test_tree_holds_the_way_to_every_answer():
    model, tree = Toy(5, sentences=2), Tree(EOS)
    answers = search(model, 2, Beam(3, 3, max_length=5), recorder=tree)
    for sentence, found in enumerate(answers):
        nodes = tree.nodes[sentence]
        ends = {}
        for node in nodes:
            ids, at = [], node
            while at.parent >= 0:
                at = nodes[at.parent]
                assert at.fate == "kept"
                ids.insert(0, at.symbol)
            assert node.step == len(ids)
            log_ps, _ = model.row(sentence, [*ids, node.symbol][: 5 + (node.symbol != EOS)])
            assert node.total == pytest.approx(sum(log_ps[: len(ids) + 1]))
            if node.fate == "finished":
                ends[tuple(ids)] = node.total
        for hypothesis in found:
            assert ends[tuple(hypothesis.ids)] == pytest.approx(hypothesis.log_p)
        assert {node.fate for node in nodes} == {"kept", "finished", "pruned"}
