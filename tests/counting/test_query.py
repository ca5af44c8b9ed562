"""Whole texts, steps, distributions and single sentences all say the same."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from penstock.counting import core
from penstock.counting.symbols import Symbols
from penstock.counting.table import Table, pair
from penstock.errors import ConfigError, ShapeError
from penstock.search import Sampling, generate


def test_steps_give_what_the_whole_text_gives(model, test_ids):
    state, whole, single = model.start(), [], []
    for id in test_ids:
        whole.append(model.distribution(state)[0, id])
        log_p, state = model.step(np.array([id]), state)
        single.append(log_p[0])
    np.testing.assert_allclose(model.log_probs(test_ids), whole, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.log_probs(test_ids), single, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [1, 2, 7, 100])
def test_blocks_and_threads_change_nothing(model, test_ids, monkeypatch, block, threads):
    whole = model.scores(test_ids)
    monkeypatch.setattr(core, "PIECE", block)
    parts = model.scores(test_ids, threads=threads)
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_array_equal(parts[1], whole[1])


def test_lines_give_what_the_whole_text_gives(model, letters):
    lines = ["a b a", "", "? a", "c"]
    whole = model.log_probs(letters.encode_text("\n".join(lines) + "\n"))
    tokens = [token for line in lines for token in model.tokens(line)]
    np.testing.assert_allclose([token.log_p for token in tokens], whole, rtol=1e-6)
    assert [token.word for token in tokens if token.oov] == ["?"]
    assert model.score("a b a") == pytest.approx(whole[:4].sum() / np.log(10))


def test_a_batch_of_states_is_each_alone(model):
    words = np.array([[2, 3, 4], [3, 1, 2], [0, 2, 0]])
    state = model.start(3)
    for step in words:
        state = model.advance(step, state)
    for column in range(3):
        alone = model.start()
        for id in words[:, column]:
            alone = model.advance(np.array([id]), alone)
        np.testing.assert_array_equal(state[:, [column]], alone)
    assert (state[:, [0]] == model.start()).all()  # after </s>


def test_next_words_are_the_most_probable(model, letters):
    best = model.next_words("a b", 3)
    state = model.start()
    for id in letters.encode("a b"):
        state = model.advance(np.array([id]), state)
    p = model.distribution(state)[0]
    assert [word for word, _ in best] == [letters.words[id] for id in np.argsort(-p)[:3]]
    with pytest.raises(ConfigError, match="expected k of 1 at least, got k=0"):
        model.next_words("a", 0)


def test_samples_come_as_often_as_they_should(model, letters):
    firsts = [next(model.sample(seed=seed), "</s>") for seed in range(400)]
    p = np.exp(model.distribution(model.start())[0])
    for word in ("a", "b"):
        assert firsts.count(word) / 400 == pytest.approx(p[letters.ids[word]], abs=0.08)
    assert list(model.sample("a", seed=5)) == list(model.sample("a", seed=5))


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.array([99]), "expected ids from 0 to 27"),
        (np.array([-1]), "expected ids from 0 to 27"),
        (np.array([0.5]), r"expected whole numbers \(T,\), got float64"),
        (np.array([[1]]), r"of shape \(1, 1\)"),
    ],
)
def test_ids_that_cannot_be(model, ids, said):
    with pytest.raises(ShapeError, match=said):
        model.log_probs(ids)


def test_no_tokens_cost_nothing(model):
    assert model.log_probs(np.array([], np.int64)).shape == (0,)


def test_search_takes_it_as_it_takes_a_network(model):
    ids = list(islice(generate(Symbols(model), [0, 2], Sampling(temperature=0)), 5))
    state, last, expected = model.advance(np.array([0]), model.start()), 2, []
    for _ in range(5):
        state = model.advance(np.array([last]), state)
        last = int(model.distribution(state)[0].argmax())
        expected.append(last)
    assert ids == expected


def test_the_table_finds_what_is_there_and_nothing_else():
    draw = np.random.default_rng(0)
    keys = np.unique(draw.integers(0, 1 << 62, 5000).astype(np.uint64))
    log_p = draw.normal(size=len(keys)).astype(np.float32)
    table = Table.of(keys, log_p)
    np.testing.assert_array_equal(table.find(keys)["place"], np.arange(len(keys)))
    np.testing.assert_array_equal(table.find(keys)["log_p"], log_p)
    absent = np.setdiff1d(keys + np.uint64(1), keys)
    assert (table.find(absent)["place"] == -1).all()
    grid = pair(np.repeat(np.arange(70), 70), np.tile(np.arange(70), 70))
    found = Table.of(grid, np.zeros(4900, np.float32)).find(grid[::-1])
    np.testing.assert_array_equal(found["place"], np.arange(4900)[::-1])
    assert Table.of(grid[:0], log_p[:0]).find(grid[:3])["place"].tolist() == [-1, -1, -1]
