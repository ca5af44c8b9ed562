"""Shortlists: what they are learnt from, kept in, and leave of a translation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError, DataError
from penstock.search import Beam, Draws
from penstock.text import PairCorpus, pad
from penstock.translation import lexicon as lexicons
from penstock.translation import shortlist as shortlists
from penstock.translation.demands import Demand
from penstock.translation.shortlist import FILE, Shortlist
from tests.training import pairs_toy
from tests.translation.translated import translated

LINES = ["one", "red dog and two cat", "", "cat", "two dog"]
KINDS = ("word", "character", "bpe")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Shortlists that leave something out of a small vocabulary."""
    monkeypatch.setattr(shortlists, "COMMON", 1)


@pytest.fixture(params=KINDS)
def system(request, tmp_path):
    system = pairs_toy.untrained(tmp_path, request.param)
    Shortlist.build(corpus_of(system), tmp_path)
    return system


@pytest.fixture
def words(tmp_path):
    system = pairs_toy.untrained(tmp_path)
    Shortlist.build(corpus_of(system), tmp_path)
    return system


def corpus_of(system, pairs=pairs_toy.PAIRS):
    return PairCorpus.from_pairs(pairs, system.tokenisers)


def may_come(system, line, number):
    source = torch.tensor(system.encode([line])).T
    return set(system.shortlist.words(source, number)[0].nonzero()[:, 0].tolist())


# -- learning --------------------------------------------------------------------------------------


def naive_model_1(pairs, rounds):
    """Model 1 word by word."""
    p = {(s, t): 1.0 for source, target in pairs for s in source for t in target}
    for _ in range(rounds):
        counts, totals = dict.fromkeys(p, 0.0), {}
        for source, target in pairs:
            for t in target:
                whole = sum(p[s, t] for s in source)
                for s in source:
                    counts[s, t] += p[s, t] / whole
        for (s, _), count in counts.items():
            totals[s] = totals.get(s, 0.0) + count
        p = {(s, t): count / totals[s] for (s, t), count in counts.items()}
    return p


def test_the_lexicon_is_that_of_model_1(words):
    corpus = corpus_of(words)
    found = lexicons.lexicon(corpus)
    pairs = [(corpus.src[n].tolist(), corpus.tgt[n].tolist()) for n in range(len(corpus))]
    naive = naive_model_1(pairs, lexicons.ITERATIONS)
    keys = list(zip(found.source.tolist(), found.target.tolist(), strict=True))
    assert sorted(naive) == keys
    np.testing.assert_allclose(found.p, [naive[key] for key in keys])


def test_of_a_large_text_some_pairs_are_looked_at(words, monkeypatch):
    corpus = corpus_of(words, pairs_toy.PAIRS * 10)
    monkeypatch.setattr(lexicons, "CELLS", int(corpus.lengths.prod(1).sum()) // 3)
    found = lexicons.lexicon(corpus)
    sums = np.bincount(found.source, found.p)
    np.testing.assert_allclose(sums[np.unique(found.source)], 1)


def test_the_likeliest_translation_comes_first(words):
    source, target = (side.tokeniser for side in words.tokenisers)
    for word, meaning in (("dog", "Hund"), ("red", "rot"), ("two", "zwei"), ("cat", "Katze")):
        first = words.shortlist.likely[source.tokens.index(word), 0]
        assert target.tokens[first] == meaning
    assert words.shortlist.common.tolist() == [words.target.eos_id, words.target.unk_id]


def test_more_likely_words_are_more_and_padding_has_none(words):
    source, _ = pad(words.encode(["dog dog red", "cat"]), words.source.eos_id)
    few, more = (words.shortlist.words(source, number) for number in (1, 2))
    assert (few <= more).all()
    assert few.sum() < more.sum()
    assert few[:, words.target.eos_id].all()
    alone = words.shortlist.words(source[:2, 1:], 1)
    assert torch.equal(alone[0], few[1])
    for number in (-1, 51):
        with pytest.raises(ConfigError, match="expected from 1 to 50 tokens"):
            words.shortlist.words(source, number)


# -- keeping ---------------------------------------------------------------------------------------


def test_a_shortlist_is_kept_and_made_anew_for_other_tokens(words, tmp_path):
    before, prints = (tmp_path / FILE).stat().st_mtime_ns, words.shortlist.made_for
    Shortlist.build(corpus_of(words), tmp_path)
    assert (tmp_path / FILE).stat().st_mtime_ns == before
    other = pairs_toy.untrained(tmp_path / "other", "character")
    made = Shortlist.build(corpus_of(other), tmp_path)
    again = Shortlist.load(tmp_path)
    assert again.made_for == made.made_for != prints
    assert torch.equal(again.likely, made.likely)


def test_a_missing_and_a_damaged_shortlist(words, tmp_path):
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-5])
    with pytest.raises(DataError, match="cannot be read"):
        Shortlist.load(tmp_path)
    assert Shortlist.build(corpus_of(words), tmp_path).made_for
    (tmp_path / FILE).unlink()
    with pytest.raises(DataError, match="trained before there were shortlists"):
        translated([words], LINES, shortlist=1)


def test_a_shortlist_of_another_translator(words, tmp_path):
    other = pairs_toy.untrained(tmp_path / "other", "character")
    Shortlist.build(corpus_of(other), other.path)
    (words.path / FILE).write_bytes((other.path / FILE).read_bytes())
    with pytest.raises(DataError, match="expected the list made with this translator"):
        translated([words], LINES, shortlist=1)


# -- translating -----------------------------------------------------------------------------------

OPTIONS = [Beam(4, nbest=4, max_length=20), Beam(1, max_length=20), Draws(3, max_length=20)]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_nothing_else_comes(system, options):
    found = translated([system], LINES, options, shortlist=1)
    for line, one in zip(LINES, found, strict=True):
        assert bool(one.hypotheses) == bool(line)
        assert all(set(each.ids) <= may_come(system, line, 1) for each in one.hypotheses)
    if isinstance(options, Beam):
        alone = translated([system], LINES, options, shortlist=1, window=1)
        assert [each.texts for each in alone] == [each.texts for each in found]


def test_a_list_of_everything_changes_nothing(words, monkeypatch):
    monkeypatch.setattr(shortlists, "COMMON", words.target.vocab_size)
    whole = replace(words)
    (words.path / FILE).unlink()
    Shortlist.build(corpus_of(whole), whole.path)
    options = Beam(4, nbest=4, max_length=9)
    found = translated([whole], LINES, options, shortlist=1)
    for one, other in zip(found, translated([words], LINES, options), strict=True):
        assert one.texts == other.texts
        scores = [[each.score for each in own.hypotheses] for own in (one, other)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_what_is_demanded_may_come(words):
    demands = [Demand(prefix="Katze"), Demand(must=["eins"])]
    found = translated([words], ["dog", "red"], Beam(4), demands=demands, shortlist=1)
    assert found[0].texts[0].startswith("Katze")
    assert "eins" in found[1].texts[0]


def test_several_may_have_what_one_may_have(words, tmp_path):
    other = pairs_toy.untrained(tmp_path / "other")
    swapped = [(source, target[::-1]) for source, target in pairs_toy.PAIRS]
    Shortlist.build(corpus_of(other, swapped), other.path)
    found = translated([words, other], LINES, Beam(4, nbest=4), shortlist=1)
    for line, one in zip(LINES, found, strict=True):
        both = may_come(words, line, 1) | may_come(other, line, 1)
        assert all(set(each.ids) <= both for each in one.hypotheses)
