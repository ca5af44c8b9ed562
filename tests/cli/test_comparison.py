"""Models side by side: costs by line, the table, and n-gram models among them."""

from __future__ import annotations

import math
from contextlib import nullcontext

import pytest
import torch

from penstock.cli.compare import _candidate
from penstock.counting import NGramModel, Vocabulary, estimate
from penstock.errors import DataError
from penstock.metrics.comparison import compare
from penstock.models import store
from penstock.models.language import LanguageModel
from penstock.models.window import WindowModel
from penstock.scoring.losses import perplexity
from penstock.scoring.scorer import open_model
from penstock.text import Corpus, Tokeniser

LINES = ["a rose is a rose", "is a rose", "", "a is", "rose rose rose is a", "a new rose"]


def measure(path, files, alone=False):
    """What the verb finds out about one model."""
    return _candidate(
        open_model(path), files, alone, lambda title: nullcontext(lambda done, total: None)
    )


@pytest.fixture
def tokeniser():
    return Tokeniser.from_lines(LINES[:4])


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "test.txt"
    file.write_text("".join(line + "\n" for line in LINES))
    return file


@pytest.fixture
def folder(tmp_path, tokeniser):
    """Makes the folder of a model; the seed decides how good it is."""

    def make(seed, kind=LanguageModel, **options):
        torch.manual_seed(seed)
        model = kind(tokeniser.vocab_size, embedding_size=4, hidden_size=6, **options).eval()
        place = tmp_path / f"model{seed}"
        store.write_description(place, model, {})
        store.save_weights(place, model)
        tokeniser.save(place)
        return place

    return make


@pytest.fixture
def counted(tmp_path):
    vocabulary = Vocabulary(["a", "is", "rose"])
    ids = vocabulary.encode_text("".join(line + "\n" for line in LINES))
    model = estimate(ids, vocabulary, order=2, smoothing="witten-bell")
    model.save(tmp_path / "two.arpa")
    return tmp_path / "two.arpa"


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", [LanguageModel, WindowModel])
def test_cost_by_line_is_that_of_evaluate(folder, text, tokeniser, kind, alone):
    place = folder(1, kind)
    found = measure(place, [text], alone=alone)
    model, corpus = store.load_model(place), Corpus.from_lines(LINES, tokeniser)
    expected = perplexity(model, tokeniser, corpus, alone=alone)
    assert found.nats.sum() == pytest.approx(expected.nats)
    assert found.cost.perplexity == pytest.approx(expected.perplexity)
    assert found.cost.signature == expected.signature
    assert found.tokens.tolist() == [len(line.split()) + 1 for line in LINES]
    if alone:
        for line, nats in zip(LINES, found.nats, strict=True):
            one = perplexity(model, tokeniser, Corpus.from_lines([line], tokeniser), alone=True)
            assert nats == pytest.approx(one.nats, rel=1e-5)


def test_an_ngram_model_stands_beside(folder, text, counted):
    found = measure(counted, [text])
    model = NGramModel.load(counted)
    assert found.nats == pytest.approx([-model.score(line) * math.log(10) for line in LINES])
    assert found.tokens.tolist() == [len(line.split()) + 1 for line in LINES]
    table = compare([measure(folder(1), [text]), found])
    assert [row["context"] for row in table["rows"]] == ["1 words of the sentence", "text"]
    assert table["comparable"]


def test_the_table_has_the_best_first_and_its_own_figures(folder, text):
    text.write_text(text.read_text() * 4)
    found = [measure(folder(seed), [text]) for seed in (1, 2, 3)]
    table = compare(found, resamples=200)
    rows, model = table["rows"], store.load_model(folder(1))
    assert [row["perplexity"] for row in rows] == sorted(one.cost.perplexity for one in found)
    assert rows[0]["p_value"] is None
    for row in rows:
        low, high = row["interval"]
        assert low < row["perplexity"] < high
        assert row["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert "paired bootstrap over 24 lines, 200 resamples" in table["signature"]


def test_few_lines_have_no_intervals(folder, text):
    table = compare([measure(folder(seed), [text]) for seed in (1, 2)])
    assert [(row["interval"], row["p_value"]) for row in table["rows"]] == [(None, None)] * 2


def test_other_tokens_are_told(folder, text, tmp_path):
    characters = Tokeniser.from_lines(LINES, "character")
    model = LanguageModel(characters.vocab_size, embedding_size=4, hidden_size=6).eval()
    store.write_description(tmp_path / "c", model, {})
    store.save_weights(tmp_path / "c", model)
    characters.save(tmp_path / "c")
    found = [measure(place, [text]) for place in (folder(1), tmp_path / "c")]
    assert not compare(found)["comparable"]
    assert compare(found[:1])["comparable"]


def test_what_is_no_model(text, tmp_path):
    with pytest.raises(DataError):
        measure(tmp_path / "none", [text])
    with pytest.raises(DataError):
        measure(text, [text])
