"""Translators that write different tokens, as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from penstock.errors import ConfigError
from penstock.models.translator import Translator
from penstock.search import Beam, Draws, Risk
from penstock.text import Preparation, SentenceTokeniser
from penstock.translation.alignment import looking
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder
from penstock.translation.pool import Pool, check_tokens, pooled
from tests.training import pairs_toy
from tests.translation.translated import translated

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
    return translated(systems, LINES, OPTIONS, **options)


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
    lists = [translated(group.systems, LINES, whole) for group in groups]
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
    with pytest.raises(
        ConfigError, match=r"letters: expected the target tokens of .*words with samples, got"
    ):
        translated(systems, LINES, Draws())
    with pytest.raises(ConfigError, match="letters: expected the target tokens of"):
        check_tokens(systems)


def test_a_system_without_weight_is_not_asked(systems):
    alone = [one.texts for one in translated([systems[1]], LINES, OPTIONS)]
    assert [one.texts for one in found(systems, weights=[0.0, 2.0, 0.0])] == alone
    assert isinstance(pooled(Finder(systems, weights=[1.0, 0.0, 1.0])), Finder)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_do_not_fit(systems, weights):
    with pytest.raises(ConfigError, match="expected a weight of 0 or more for each model"):
        translated(systems[::2], LINES, weights=weights)


def test_the_sum_of_weights_does_not_matter(systems):
    def scores(*weights):
        answers = translated(systems[::2], LINES, OPTIONS, weights=weights)
        return [one.score for answer in answers for one in answer.hypotheses]

    assert scores(1.0, 3.0) == pytest.approx(scores(0.5, 1.5))
    assert scores(1.0, 3.0) != pytest.approx(scores(1.0, 1.0))


# -- whose attention counts ------------------------------------------------------------------------


@pytest.fixture
def seeing(tmp_path):
    """Without attention; with; with, and words of the source cut in another way; with."""
    made = [pairs_toy.untrained(tmp_path / str(n)) for n in range(4)]
    blind = Translator(
        encoder="gru",
        source_size=made[0].source.vocab_size,
        target_size=made[0].target.vocab_size,
        hidden_size=6,
    )
    parted = SentenceTokeniser.train(
        [source for source, _ in pairs_toy.PAIRS], "word", preparation=Preparation("moses")
    )
    made[0], made[2] = replace(made[0], model=blind.eval()), replace(made[2], source=parted)
    return made


def test_whose_attention_counts(seeing):
    assert [looking([seeing[n] for n in own]) for own in ([0], [1, 3], [0, 1, 2, 3], [2, 1])] == [
        *([], [0, 1], [1, 3], [0])
    ]
    assert Finder(seeing).shown is seeing[1]


def test_the_order_of_systems_does_not_matter_to_what_is_shown(seeing):
    (forth,) = translated(seeing[:2], ["red dog"], OPTIONS, attention=True)
    (back,) = translated(seeing[1::-1], ["red dog"], OPTIONS, attention=True)
    assert forth.system is back.system is seeing[1]
    assert torch.equal(forth.hypotheses[0].attention, back.hypotheses[0].attention)
    assert forth.texts == back.texts


def test_neighbours_do_not_change_what_is_looked_at(seeing):
    lines = ["red dog", "two cat and one dog"]
    together = translated(seeing, lines, OPTIONS, attention=True)
    for line, one in zip(lines, together, strict=True):
        (alone,) = translated(seeing, [line], OPTIONS, attention=True)
        assert alone.hypotheses[0].ids == one.hypotheses[0].ids
        width = len(line.split()) + 1
        looked = (each.hypotheses[0].attention[:, :width] for each in (alone, one))
        torch.testing.assert_close(*looked)
