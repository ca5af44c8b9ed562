"""The loop on a toy: it learns, keeps the best, stops for a reason, and says what is wrong."""

from __future__ import annotations

import math
import os
import signal
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from penstock.errors import DataError
from penstock.storage import load
from penstock.training import Diverged, Task, TrainingSettings, fit
from penstock.training import checkpoint as files
from penstock.training.listener import Listener
from penstock.training.log import METRICS, TIMING, read
from penstock.training.optimise import OPTIMISERS
from tests.training.toy import SETTINGS, ToyModel, ToyTask, train


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_trains_the_toy(name, tmp_path):
    rates = {"sgd": 0.5, "asgd": 0.5, "momentum": 0.1, "adagrad": 0.1, "lbfgs": 1.0}
    settings = replace(SETTINGS, optimiser=name, lr=rates.get(name, 0.02), epochs=2)
    with torch.no_grad():
        untrained = ToyTask(_fresh().eval()).validate()["loss"]
    _, summary = train(tmp_path, settings)
    assert summary.best_loss < untrained - 0.1
    assert (summary.epochs, summary.updates, summary.stopped) == (2, 24, "epochs")


def test_the_model_is_left_with_the_best_weights(tmp_path):
    model, summary = train(tmp_path, replace(SETTINGS, lr=0.3, epochs=6, schedule="constant"))
    epochs = [r for r in read(tmp_path / METRICS) if r["kind"] == "epoch"]
    losses = [record["valid_loss"] for record in epochs]
    assert summary.best_loss == min(losses)
    assert summary.best_epoch == losses.index(min(losses)) + 1
    with torch.no_grad():
        assert ToyTask(model.eval()).validate()["loss"] == min(losses)
    assert torch.equal(load(tmp_path / files.BEST)[0]["embedding.weight"], model.embedding.weight)


def test_the_log_has_figures_by_update_and_epoch_and_times_apart(tmp_path):
    train(tmp_path)
    records = read(tmp_path / METRICS)
    assert [r["kind"] for r in records[:5]] == ["update"] * 4 + ["epoch"]
    assert {"rnn.weight_hh_l0", "embedding.weight"} <= set(records[0]["grad_norms"])
    squares = sum(norm**2 for norm in records[0]["grad_norms"].values())
    assert records[0]["grad_norm"] == pytest.approx(math.sqrt(squares), rel=1e-5)
    assert records[0]["lr"] < SETTINGS.lr
    assert len(read(tmp_path / TIMING)) == SETTINGS.epochs


@pytest.mark.parametrize("clip", ["clip_norm", "clip_per_parameter", "clip_value"])
def test_clipping_bounds_the_step_of_sgd(clip, tmp_path):
    settings = replace(SETTINGS, optimiser="sgd", lr=1.0, epochs=1, clip_norm=0.0, log_every=1)
    settings = replace(settings, **{clip: 1e-3}, schedule="constant")
    before = nn.utils.parameters_to_vector(_fresh().parameters())
    train(tmp_path, settings)
    saved = load(tmp_path / files.NEWEST)[0]
    after = torch.cat([saved[f"state/model/{n}"].flatten() for n, _ in _fresh().named_parameters()])
    moved = (after - before).abs().max().item()
    assert 0 < moved <= 12 * 1e-3 + 1e-6
    assert read(tmp_path / METRICS)[0]["grad_norm"] > 1e-2  # what is logged is before clipping


def _fresh():
    torch.manual_seed(SETTINGS.seed)
    return ToyModel()


def test_gradients_by_name_are_clipped_and_logged(tmp_path):
    torch.manual_seed(1)
    model = ToyModel()

    def gradients():
        grad = model.rnn.weight_hh_l0.grad
        return {"U_top": grad[:3], "U_bottom": grad[3:]}

    settings = replace(SETTINGS, epochs=1, clip_per_parameter=0.1)
    fit(ToyTask(model), model, settings, tmp_path, gradients=gradients)
    assert set(read(tmp_path / METRICS)[0]["grad_norms"]) == {"U_top", "U_bottom"}


def test_loss_scale_is_the_same_as_a_larger_rate_of_sgd(tmp_path):
    plain = replace(SETTINGS, optimiser="sgd", epochs=1, clip_norm=0.0)
    one, _ = train(tmp_path / "a", replace(plain, lr=0.5))
    two, _ = train(tmp_path / "b", replace(plain, lr=0.125, loss_scale=4.0))
    torch.testing.assert_close(one.output.bias, two.output.bias)


class Scripted(Task):
    """One weight; validation losses as given, and a loss that can be spoilt at one update."""

    updates_per_epoch = 3

    def __init__(self, model, losses=(1.0,), bad=(-1, 0.0), without=False):
        self.model, self.losses, self.bad, self.epoch = model, losses, bad, 0
        self.count, self.without = 0, without

    def begin_epoch(self, epoch):
        self.epoch = epoch

    def loss(self, update):
        self.count += 1
        loss = self.model.weight.square().sum()
        return (loss * self.bad[1] if self.count == self.bad[0] else loss), 1

    def validate(self):
        return {} if self.without else {"loss": self.losses[self.epoch % len(self.losses)]}


def line():
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    return model


@pytest.mark.parametrize("name", ["lbfgs", "cg"])
def test_a_search_sees_the_same_function_at_each_evaluation(name, tmp_path):
    class Noisy(Scripted):
        state, seen = torch.zeros(1), ()

        def loss(self, update):
            noise = torch.rand(1)
            self.seen += ((update, noise.item(), self.state.item()),)
            self.state = self.state + 1
            return (self.model.weight.square() + noise + self.state).sum(), 1

        def carry(self):
            return {"state": self.state}

        def restore(self, carry):
            self.state = carry["state"]

    model = line()
    task = Noisy(model)
    fit(task, model, TrainingSettings(optimiser=name, epochs=1), tmp_path)
    assert len(task.seen) > 3
    assert len(set(task.seen)) == 3
    assert [state for _, _, state in sorted(set(task.seen))] == [0.0, 1.0, 2.0]


def test_patience_ends_training_and_a_second_call_does_not_go_on(tmp_path):
    settings = TrainingSettings(epochs=9, patience=2, lr=0.1)
    for _ in range(2):
        model = line()
        summary = fit(Scripted(model, [3.0, 2.0, 2.5, 2.5, 1.0]), model, settings, tmp_path)
        assert (summary.epochs, summary.best_epoch, summary.stopped) == (4, 2, "patience")


def test_halving_ends_training_at_the_second_stall(tmp_path):
    model = line()
    settings = TrainingSettings(epochs=9, schedule="halve", lr=0.1)
    summary = fit(Scripted(model, [3.0, 2.0, 2.0, 2.0]), model, settings, tmp_path)
    assert (summary.epochs, summary.stopped) == (4, "schedule")
    assert [r["lr"] for r in read(tmp_path / METRICS)] == [0.1, 0.1, 0.1, 0.05]


def test_without_validation_the_training_loss_decides(tmp_path):
    model = line()
    summary = fit(Scripted(model, without=True), model, TrainingSettings(epochs=3), tmp_path)
    assert summary.best_epoch == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_with_the_last_checkpoint(bad, tmp_path):
    model, settings = line(), TrainingSettings(epochs=3, checkpoint_every=1, lr=0.1)
    with pytest.raises(Diverged) as caught:
        fit(Scripted(model, bad=(6, bad)), model, settings, tmp_path)
    text = str(caught.value)
    assert f"expected a finite loss, got {bad} at epoch 2, update 3" in text
    for advice in ("lower lr (now 0.1)", "clip_norm (now 5.0)", files.NEWEST):
        assert advice in text
    saved = files.load_latest(tmp_path, pytest.fail)
    assert saved["at"]["updates"] == 5
    assert torch.equal(saved["model"]["weight"], model.weight)
    calmer = fit(Scripted(model), model, replace(settings, lr=0.01), tmp_path)
    assert calmer.updates == 9


def test_a_gradient_that_is_not_finite_changes_no_weight(tmp_path):
    class Steep(Scripted):
        def loss(self, update):
            return torch.sqrt(self.model.weight - 1).sum(), 1  # infinite slope at 1

    model = line()
    with pytest.raises(Diverged, match="expected a finite gradient norm, got inf"):
        fit(Steep(model), model, TrainingSettings(), tmp_path)
    assert model.weight.item() == 1.0


def test_a_validation_loss_that_is_not_finite_stops(tmp_path):
    model = line()
    with pytest.raises(Diverged, match="finite validation loss, got nan at epoch 2, validation"):
        fit(Scripted(model, [1.0, math.nan]), model, TrainingSettings(), tmp_path)


def test_other_data_and_other_models_are_refused(tmp_path):
    model = line()
    fit(Scripted(model), model, TrainingSettings(epochs=1), tmp_path)
    task = Scripted(model)
    task.updates_per_epoch = 4
    with pytest.raises(DataError, match="expected 3 updates an epoch"):
        fit(task, model, TrainingSettings(epochs=2), tmp_path)
    wide = nn.Linear(2, 1, bias=False)
    with pytest.raises(DataError, match="belongs to another model"):
        fit(Scripted(wide), wide, TrainingSettings(epochs=2), tmp_path)


class Teller(Listener):
    """Keeps messages; sends Ctrl-C at one update."""

    def __init__(self, at=None):
        self.at, self.count, self.told = at, 0, []

    def update(self, epoch, figures, tokens):
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def message(self, text):
        self.told.append(text)


@pytest.mark.parametrize("at", [7, 12, 24])
def test_an_interrupt_saves_and_the_run_goes_on_to_the_same_bits(at, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(tmp_path / "whole")
    shown = Teller(at)
    _, summary = train(tmp_path / "cut", listener=shown)
    assert (summary.stopped, summary.updates) == ("interrupted", at)
    assert "interrupted; saved in" in shown.told[-1]
    assert signal.getsignal(signal.SIGINT) is before
    again = Teller()
    train(tmp_path / "cut", listener=again)
    assert again.told[0].startswith("going on from epoch")
    for name in (METRICS, files.BEST):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_training_in_another_thread_leaves_signals_alone(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(train(tmp_path)[1].stopped))
    thread.start()
    thread.join()
    assert done == ["epochs"]


def test_a_damaged_checkpoint_is_told_and_the_run_ends_alike(tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "cut", listener=Teller(30))
    newest = tmp_path / "cut" / files.NEWEST
    newest.write_bytes(newest.read_bytes()[:-9])
    shown = Teller()
    train(tmp_path / "cut", listener=shown)
    assert "Going on from the checkpoint before it" in shown.told[0]
    for name in (METRICS, files.BEST):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
