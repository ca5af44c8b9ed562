"""From files to a folder: what is left there, what goes on after a stop, what is refused."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from penstock.errors import ConfigError, DataError
from penstock.search import Beam
from penstock.training.checkpoint import BEST
from penstock.training.log import METRICS, read
from penstock.translation.system import load_translator
from tests.training import pairs_toy
from tests.translation.translated import translated

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    pairs_toy.write(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that has learnt its toy language."""
    folder = tmp_path_factory.mktemp("trained")
    pairs_toy.write(folder, 300)
    more = {"hidden": "24", "embedding": 16, "epochs": 14, "choose": "perplexity", "lr": 0.02}
    more |= {"output_dropout": 0.0, "context_dropout": 0.0, "embedding_dropout": 0.0}
    return pairs_toy.train(folder, folder / "model", **more)


def test_a_toy_language_is_learnt(trained):
    assert trained.results["test"].bleu.value > 90
    assert trained.results["test"].perplexity.perplexity < 1.3


def test_the_folder_tells_and_holds_everything(trained):
    names = {file.name for file in trained.folder.iterdir()}
    assert names >= {
        "model.json",
        "weights.safetensors",
        "source.json",
        "source.tokenizer.json",
        "target.json",
        "target.tokenizer.json",
        "metrics.jsonl",
        "card.md",
        "results.json",
    }
    card = (trained.folder / "card.md").read_text()
    assert "chrF2" in card
    assert "nrefs:1" in card
    assert "en to en" in card
    kept = json.loads((trained.folder / "results.json").read_text())["results"]["test"]
    assert kept["BLEU"]["value"] == trained.results["test"].bleu.value
    epochs = [record for record in read(trained.folder / METRICS) if record["kind"] == "epoch"]
    assert {"valid_loss", "valid_perplexity", "valid_bleu"} <= set(epochs[0])


def test_the_folder_translates_as_the_run_did(trained):
    system = load_translator(trained.folder)
    sources = [source for source, _ in pairs_toy.pairs(9, 3)]
    found = [one.texts[0] for one in translated([system], sources, Beam(5))]
    assert found == trained.results["test"].translations


@pytest.mark.parametrize("window", [1, 3, 100])
def test_neighbours_and_empty_lines_change_nothing(trained, window):
    system = load_translator(trained.folder)
    lines = ["dog", "", "one red cat and two", " ", "unseen words", "red dog"]
    found = translated([system], lines, Beam(3, 3), attention=True, window=window)
    assert [one.line for one in found] == lines
    assert [one.texts for one in found if not one.line.strip()] == [[""], [""]]
    for line, one in zip(lines, found, strict=True):
        (alone,) = translated([system], [line], Beam(3, 3))
        assert alone.texts == one.texts
        for mine, other in zip(alone.hypotheses, one.hypotheses, strict=True):
            assert mine.log_p == pytest.approx(other.log_p, abs=1e-4)
            assert torch.allclose(other.attention.sum(-1), torch.ones(len(other.log_ps)))


def test_two_of_the_same_translate_as_one(trained):
    system = load_translator(trained.folder)
    lines = ["dog and cat", "two"]
    one = [found.texts for found in translated([system], lines)]
    assert [found.texts for found in translated([system, system], lines)] == one


def test_an_unknown_word_is_the_one_that_was_looked_at(trained):
    system = load_translator(trained.folder)
    unknown = system.target.unk_id
    model = system.model
    with torch.no_grad():
        model.output.bias[unknown] += 1e3  # nothing but unknown words, up to the longest
    (plain,) = translated([system], ["dog"], Beam(1, max_length=2), replace_unknown=False)
    assert plain.texts == ["<unk> <unk>"]
    (found,) = translated([system], ["zebra"], Beam(1, max_length=2))
    assert found.texts == ["zebra zebra"]


def test_a_source_of_thousands_of_words_is_translated(trained):
    system = load_translator(trained.folder)
    (found,) = translated([system], ["dog " * 5000], Beam(2, max_length=10))
    assert len(found.hypotheses[0].ids) <= 10


# -- going on ------------------------------------------------------------------------------------


def start(texts, folder, options):
    command = [sys.executable, "-m", "tests.training.pairs_toy", texts, folder, options]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=env, cwd=ROOT)


@pytest.mark.parametrize(
    "more",
    [{}, {"tokens": "bpe", "bpe_dropout": 0.3, "vocab_size": 280, "ema": 0.9, "average": 2}],
    ids=["plain", "averages"],
)
def test_killed_at_random_moments_it_ends_with_the_same_bits(texts, tmp_path, more):
    options = json.dumps({"epochs": 5} | more)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(texts, whole, options).wait() == 0
    moments, codes = random.Random(3), []
    for _ in range(2):
        process = start(texts, cut, options)
        while not (cut / METRICS).exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        codes.append(process.wait())
    assert -signal.SIGKILL in codes
    assert start(texts, cut, options).wait() == 0
    for name in (METRICS, BEST, "weights.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_a_finished_run_goes_on_for_more_epochs_and_no_other(texts, tmp_path):
    pairs_toy.train(texts, tmp_path / "model", epochs=1)
    assert pairs_toy.train(texts, tmp_path / "model", epochs=2).summary.epochs == 2
    with pytest.raises(ConfigError, match=r"holds another model .*hidden '8' -> '9'"):
        pairs_toy.train(texts, tmp_path / "model", epochs=2, hidden="9")


# -- what is refused -----------------------------------------------------------------------------


@pytest.fixture
def copy(trained, tmp_path):
    return Path(shutil.copytree(trained.folder, tmp_path / "copy"))


def test_another_tokeniser_is_noticed(trained, copy, texts, tmp_path):
    other = pairs_toy.train(texts, tmp_path / "other", epochs=1, lowercase=True).folder
    for name in ("target.json", "target.tokenizer.json"):
        shutil.copy(other / name, copy / name)
    with pytest.raises(DataError, match=r"target\.json: expected the tokeniser this model"):
        load_translator(copy)


@pytest.mark.parametrize("name", ["source.json", "target.tokenizer.json", "model.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        load_translator(copy)


def test_the_same_tokens_make_an_ensemble_whatever_is_done_to_a_line_before(texts, tmp_path):
    systems = [
        pairs_toy.train(texts, tmp_path / language, epochs=1, languages=f"en,{language}").system
        for language in ("en", "de")
    ]
    assert len({system.target.fingerprint for system in systems}) == 2
    assert len(translated(systems, ["dog", "cat"])) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first_state": "last"}, "fits no state of the decoder"),
        ({"hidden": str(10**6)}, "expected a model that fits in memory"),
        ({"source_vectors": "nowhere.txt"}, "nowhere.txt"),
        ({"max_ratio": 1.01, "max_length": 1, "tokens": "character"}, "expected a pair to keep"),
    ],
    ids=str,
)
def test_what_cannot_be_trained(texts, tmp_path, options, said):
    with pytest.raises((ConfigError, DataError), match=said):
        pairs_toy.train(texts, tmp_path / "model", **options)
