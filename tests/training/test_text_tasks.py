"""Streams and sentences: every token once, resumable, searchable by L-BFGS."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch

from penstock.text import Corpus, Tokeniser
from penstock.training import fit, seed_everything
from penstock.training.language import LanguageSettings, build_model, build_task
from penstock.training.listener import Listener
from penstock.training.text_tasks import SentenceTask, StreamTask

LINES = [" ".join("abcde"[(i * j) % 5] for j in range(2 + i % 4)) for i in range(40)]


def task_with(**options):
    settings = LanguageSettings(**({"hidden": "5", "batch_size": 4, "k1": 6} | options))
    tokeniser = Tokeniser.from_lines(LINES)
    corpus = Corpus.from_lines(LINES, tokeniser)
    seed_everything(1)
    model = build_model(settings, tokeniser.vocab_size).double()
    return build_task(model, settings, tokeniser, corpus, corpus), model, corpus, settings


def test_the_settings_choose_the_task():
    assert isinstance(task_with()[0], StreamTask)
    assert isinstance(task_with(sentences=True)[0], SentenceTask)


@pytest.mark.parametrize("alone", [False, True])
def test_an_epoch_covers_the_text(alone):
    task, _, corpus, settings = task_with(sentences=alone)
    task.begin_epoch(0)
    tokens = sum(task.loss(update)[1] for update in range(task.updates_per_epoch))
    streams = len(corpus) // settings.batch_size * settings.batch_size - settings.batch_size
    assert tokens == (len(corpus) if alone else streams)


def test_validation_of_sentences_is_the_mean_over_their_tokens():
    task, model, corpus, _ = task_with(sentences=True)
    task.begin_epoch(0)
    parts = [task.loss(update) for update in range(task.updates_per_epoch)]
    mean = sum(float(loss.detach()) * count for loss, count in parts) / len(corpus)
    model.eval()
    with torch.no_grad():
        assert task.validate()["loss"] == pytest.approx(mean)


def test_validation_leaves_the_carried_state_alone():
    task, model, _, _ = task_with(k2=9)
    task.begin_epoch(0)
    task.loss(0)
    before = {name: value.clone() for name, value in task.carry().items()}
    model.eval()
    with torch.no_grad():
        task.validate()
    assert all(torch.equal(before[name], value) for name, value in task.carry().items())


class Killed(BaseException):
    """The process ends."""


class Killer(Listener):
    """Ends the process after so many updates."""

    def __init__(self, updates):
        self.left = updates

    def update(self, *told):
        self.left -= 1
        if self.left == 0:
            raise Killed


def test_everything_drawn_is_drawn_again_after_a_stop(tmp_path):
    """Ends of updates, masks of tokens, units and weights, a rate that still rises."""
    options = {"k1_spread": 2.0, "embedding_dropout": 0.2, "output_dropout": 0.3, "warmup": 1.5}
    options |= {"weight_drop": 0.3, "slowness_penalty": 1.0, "epochs": 2, "checkpoint_every": 2}
    task, model, _, settings = task_with(**options)
    fit(task, model, settings, tmp_path / "whole")
    for number in (3, 3, 4, 100):
        task, stopped, _, settings = task_with(**options)
        with suppress(Killed):
            fit(task, stopped, settings, tmp_path / "cut", listener=Killer(number))
    for name, weight in model.state_dict().items():
        assert torch.equal(stopped.state_dict()[name], weight)
    whole, cut = (tmp_path / part / "metrics.jsonl" for part in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


@pytest.mark.parametrize("optimiser", ["lbfgs", "cg"])
@pytest.mark.parametrize("alone", [False, True])
def test_small_problems_by_search(optimiser, alone, tmp_path):
    """One update an epoch sees the whole text, as a search needs."""
    whole = {"batch_size": 40 if alone else 4, "k1": 1000, "epochs": 3, "clip_norm": 0.0}
    task, model, _, settings = task_with(sentences=alone, optimiser=optimiser, lr=0.5, **whole)
    assert task.updates_per_epoch == 1
    with torch.no_grad():
        start = task.validate()["loss"]
    assert fit(task, model, settings, tmp_path).best_loss < start
