"""Window networks and every output layer through training: settings, streams, sentences, folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError
from penstock.layers.output import OUTPUTS
from penstock.models import store
from penstock.models.window import WINDOW, WindowModel
from penstock.scoring.network import Network
from penstock.text import Corpus, Tokeniser
from penstock.training.folder import claim
from penstock.training.language import LanguageSettings, build_model, build_task, token_counts
from penstock.training.run import Texts, train_language

LINES = [" ".join("abcde"[(i * j) % 5] for j in range(2 + i % 4)) for i in range(40)]
SMALL = {"hidden": "16", "batch_size": 4, "k1": 6, "epochs": 2, "lr": 0.01}


@pytest.fixture
def texts(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.txt").write_text("".join(line + "\n" for line in LINES))
    return Texts([tmp_path / "train.txt"], [tmp_path / "valid.txt"])


def test_the_settings_make_the_window():
    model = build_model(LanguageSettings(cell="window", hidden="7", direct=True), 11)
    assert isinstance(model, WindowModel)
    assert (model.context, model.direct, model.program) == (5, True, WINDOW)
    deep = LanguageSettings(cell="h = relu(W @ x + b)", context=2, layers=2, hidden="7,3")
    assert (
        build_model(deep, 11).about()
        == "2 words read, 2 layers of 7, 3 units, embedding of 7, 11 tokens"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 4}, "without a state, got 'lstm', which reads h, c of earlier steps"),
        ({"direct": True}, "expected direct with a window network, got cell='lstm'"),
        ({"cell": "window", "zoneout": 0.1, "learn_state": True}, "state for learn_state, zoneout"),
        (
            {"cell": "window", "tied": True, "embedding": 100},
            "embedding=200, or projection=100",
        ),
        ({"output": "class", "tied": True}, "full, sampled, nce.*got output='class'"),
        ({"output": "class", "classes": 12}, "classes from 1 to vocab_size=11"),
    ],
    ids=str,
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_model(LanguageSettings(**options), 11)
    assert "\n" not in str(caught.value)


def test_updates_of_streams_read_the_text_without_a_seam():
    """The mean of all updates' losses is the mean loss of the columns read in one piece."""
    settings = LanguageSettings(cell="window", context=4, hidden="5", batch_size=4, k1=3)
    tokeniser = Tokeniser.from_lines(LINES)
    corpus = Corpus.from_lines(LINES, tokeniser)
    model = build_model(settings, tokeniser.vocab_size).double()
    task = build_task(model, settings, tokeniser, corpus, corpus)
    task.begin_epoch(0)
    parts = [task.loss(update) for update in range(task.updates_per_epoch)]
    length = len(corpus) // 4
    columns = torch.from_numpy(corpus.ids[: 4 * length].astype(np.int64)).view(4, length).T
    hidden, _ = model(columns[:-1])
    expected = model.losses(hidden, columns[1:]).mean()
    found = sum(loss * count for loss, count in parts) / sum(count for _, count in parts)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("sentences", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_learns_and_is_read_back(output, sentences, texts, tmp_path):
    own = {"samples": 8, "classes": 3, "output": output, "sentences": sentences}
    settings = LanguageSettings(cell="window", context=3, **(SMALL | own))
    run = train_language(texts, settings, tmp_path / "model")
    assert run.results["valid"].perplexity < 0.9 * run.tokeniser.vocab_size
    model = Network.open(tmp_path / "model").model
    ids = torch.arange(6)[:, None]
    assert torch.equal(model(ids)[0], run.model.eval()(ids)[0])
    log_p, _ = model.step(ids[0], model.start(1))
    assert torch.allclose(log_p.exp().sum(), torch.tensor(1.0))
    if model.output.counted:
        counts = token_counts(run.corpora["train"].ids, run.tokeniser.vocab_size)
        assert model.output.counts.tolist() == counts.tolist()


def test_the_folder_of_a_run_that_began_says_what_it_is(texts, tmp_path):
    settings = LanguageSettings(cell="window", **SMALL)
    claim(tmp_path / "model", WindowModel, settings, texts.origin())
    assert store.read_description(tmp_path / "model")["kind"] == "window"


def test_a_model_of_before_these_settings_is_read_and_goes_on(texts, tmp_path):
    settings = LanguageSettings(**SMALL)
    before = train_language(texts, settings, tmp_path / "model").results["valid"]
    path = tmp_path / "model" / "model.json"
    description = json.loads(path.read_text())
    for part in ("model", "settings"):
        for name in ("output", "classes", "samples", "context", "direct"):
            description[part].pop(name, None)
    path.write_text(json.dumps(description))
    assert train_language(texts, settings, tmp_path / "model").results["valid"] == before
