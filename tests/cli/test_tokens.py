"""Tokens taken over from a model that stands already, so that models can be joined."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import SMALL, one_line
from tests.training import pairs_toy

NGRAM = ("train", "ngram", "--order", "2", "--smoothing", "witten-bell", "-q")


@pytest.fixture(scope="module")
def translator(pairs, tmp_path_factory):
    """A folder with a small translator of pieces; not to be written to."""
    folder = tmp_path_factory.mktemp("translator") / "model"
    pieces = {"tokens": "bpe", "vocab_size": 270, "pretokenise": "moses"}
    pairs_toy.train(pairs, folder, **pieces)
    return folder


@pytest.fixture
def files(pairs):
    return ("--train", pairs / "train.tgt", "--valid", pairs / "valid.tgt", *SMALL)


def heard(program, translator, language):
    """The log-probability of a translation with the language model's advice, and without."""
    translate = ("translate", translator, "--json", "--max-length", 9)
    advised = program(*translate, "--lm", language, stdin=b"red dog and cat\n")
    assert (advised.status, advised.err) == (0, "")
    alone = program(*translate, stdin=b"red dog and cat\n")
    return [answer.objects[0]["hypotheses"][0]["log_p"] for answer in (advised, alone)]


def test_a_network_of_a_translators_pieces_advises_it(program, files, translator, tmp_path):
    answer = program("train", "lm", *files, "--out", tmp_path / "lm", "--tokeniser", translator)
    assert answer.status == 0
    advised, alone = heard(program, translator, tmp_path / "lm")
    assert advised != alone
    settings = json.loads((tmp_path / "lm" / "model.json").read_text())["settings"]
    assert (settings["tokens"], settings["vocab_size"]) == ("bpe", 270)


def test_ngrams_of_a_translators_pieces_advise_it(program, pairs, translator, tmp_path):
    out = tmp_path / "lm.arpa"
    tokens = ("--tokeniser", translator)
    assert program(*NGRAM, pairs / "train.tgt", *tokens, "-o", out).status == 0
    advised, alone = heard(program, translator, out)
    assert advised != alone


def test_models_of_the_same_tokens_mix(program, texts, trained, tmp_path):
    out, test = tmp_path / "lm.arpa", texts / "test.txt"
    assert program(*NGRAM, texts / "train.txt", "--tokeniser", trained, "-o", out).status == 0
    mixed = program("evaluate", trained, out, "--mix", "em", "--valid", test, "--test", test, "-q")
    assert mixed.status == 0
    again = program(*NGRAM, texts / "train.txt", "--tokeniser", out, "-o", tmp_path / "b.arpa")
    assert again.status == 0
    assert out.read_text() == (tmp_path / "b.arpa").read_text()


def test_a_run_goes_on_with_its_own_tokens(program, lm, trained, translator, tmp_path):
    assert program(*lm("--tokeniser", trained, "-q")).status == 0
    assert program(*lm("--tokeniser", trained, "-q", "--epochs", 2)).status == 0
    assert "holds another model" in one_line(program(*lm("--tokeniser", translator)))
    assert "holds another model" in one_line(program(*lm()))


def test_mistakes(program, lm, texts, trained, tmp_path):
    said = one_line(program(*lm("--tokeniser", trained, "--min-count", 2)))
    assert said == (
        "penstock: train: expected no --min-count with --tokeniser, which says what the tokens are."
    )
    said = one_line(program(*lm("--tokeniser", tmp_path / "nowhere")))
    assert "nowhere: expected a tokeniser's file" in said
    out, words = tmp_path / "out.arpa", texts / "train.txt"
    both = ("--vocab", words, "--tokeniser", trained)
    said = one_line(program(*NGRAM, words, *both, "-o", out))
    assert said == "penstock: train ngram: expected --vocab or --tokeniser, got both."
    assert not out.exists()
