"""Translators that write different tokens, as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from penstock.errors import ConfigError
from penstock.search import Beam, Draws, Risk
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder
from penstock.translation.pool import Pool, check_tokens, pooled
from penstock.translation.translating import translate
from tests.training import pairs_toy

LINES = ["one", "red dog and two cat", "", "cat", "two dog"]
OPTIONS = Beam(3, nbest=2, max_length=6)


@pytest.fixture
def systems(tmp_path):
    """Two of words, and one of characters between them."""
    kinds = {"words": "word", "letters": "character", "more": "word"}
    made = [pairs_toy.untrained(tmp_path / name, kind) for name, kind in kinds.items()]
    for weight in made[2].model.parameters():
        weight.data += 0.1
    return made


def found(systems, **options):
    return list(translate(systems, LINES, OPTIONS, **options))


def test_the_same_tokens_need_no_pool(systems):
    alone = Finder([systems[0], systems[2]], OPTIONS)
    assert isinstance(pooled(alone), Finder)
    pool = pooled(Finder(systems, OPTIONS, [1.0, 2.0, 3.0]))
    assert isinstance(pool, Pool)
    assert [finder.systems for finder in pool.finders] == [systems[::2], [systems[1]]]
    assert pool.weights == pytest.approx([4 / 6, 2 / 6])
    assert pool.finders[0].weights == pytest.approx([1 / 4, 3 / 4])


def test_the_mean_of_what_each_says_decides_among_what_each_finds(systems):
    whole = replace(OPTIONS, nbest=OPTIONS.size)
    groups = [Finder(systems[::2], whole), Finder([systems[1]], whole)]
    lists = [list(translate(group.systems, LINES, whole)) for group in groups]
    answers = found(systems)
    for n, line in enumerate(LINES):
        if not line:
            assert answers[n].texts == [""]
            continue
        texts = list(dict.fromkeys(text for own in lists for text in own[n].texts))
        judged = [group.force([line], [texts])[0] for group in groups]
        means = {
            text: (2 * one.score + other.score) / 3
            for text, one, other in zip(texts, *judged, strict=True)
        }
        best = sorted(texts, key=lambda text: -means[text])[:2]
        assert answers[n].texts == best
        scores = [hypothesis.score for hypothesis in answers[n].hypotheses]
        assert scores == pytest.approx([means[text] for text in best], rel=1e-4)
        target = systems[0].target
        assert [own.ids for own in answers[n].hypotheses] == [target.encode(text) for text in best]


def test_neighbours_change_nothing(systems):
    together = [one.texts for one in found(systems)]
    assert [one.texts for one in found(systems, window=1)] == together
    assert [one.texts for one in found(systems, window=2)] == together


def test_demands_are_met_by_all(systems):
    demands = [Demand(prefix="eins"), Demand(must=["rot"]), Demand(), Demand(), Demand(must=["x"])]
    answers = found(systems, demands=demands, forbidden=["Hund"])
    assert all(text.startswith("eins") for text in answers[0].texts)
    assert all("rot" in text for text in answers[1].texts)
    assert not any("Hund" in text for one in answers for text in one.texts)
    assert [one.failed for one in answers] == [False, False, False, False, True]


def test_least_risk_and_attention(systems):
    answers = found(systems, risk=Risk("chrf"), attention=True)
    assert [len(one.texts) for one in answers] == [1] * 5
    assert answers[0].hypotheses[0].attention is not None


def test_what_cannot_be_pooled(systems):
    with pytest.raises(ConfigError, match=r"letters: expected the target tokens of .*words, got"):
        next(translate(systems, LINES, Draws()))
    with pytest.raises(ConfigError, match="letters: expected the target tokens of"):
        check_tokens(systems)
    with pytest.raises(ConfigError, match="letters: expected the target tokens of"):
        next(translate(systems, LINES, weights=[1.0, 0.0, 1.0]))


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_do_not_fit(systems, weights):
    with pytest.raises(ConfigError, match="expected a weight of 0 or more for each model"):
        next(translate(systems[::2], LINES, weights=weights))


def test_the_sum_of_weights_does_not_matter(systems):
    def scores(*weights):
        answers = translate(systems[::2], LINES, OPTIONS, weights=weights)
        return [one.score for answer in answers for one in answer.hypotheses]

    assert scores(1.0, 3.0) == pytest.approx(scores(0.5, 1.5))
    assert scores(1.0, 3.0) != pytest.approx(scores(1.0, 1.0))
