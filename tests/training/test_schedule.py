"""Schedules against closed forms, PyTorch and the published configurations."""

from __future__ import annotations

import warnings

import pytest
import torch

from penstock.errors import ConfigError
from penstock.training.schedule import SCHEDULES, Cosine, EarlyStopping, Halve, Zaremba, schedule


@pytest.mark.parametrize(
    ("decay", "after", "rates"),
    [
        (2.0, 4, [1, 1, 1, 1, 1 / 2, 1 / 4, 1 / 8]),
        (1.2, 6, [1, 1, 1, 1, 1, 1, 1 / 1.2, 1 / 1.44]),
    ],
    ids=["small", "medium"],
)
def test_zaremba_as_published(decay, after, rates):
    rule = Zaremba(1.0, decay, after)
    assert [rule.rate(epoch + 0.7) for epoch in range(len(rates))] == pytest.approx(rates)


def test_cosine_is_pytorchs():
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=20)
    ours = Cosine(0.3, total=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their warning that no weight was updated
        for step in range(21):
            assert ours.rate(step / 5) == pytest.approx(opt.param_groups[0]["lr"], abs=1e-12)
            theirs.step()


def test_halving_starts_at_the_first_stall_and_ends_at_the_second():
    """Stall: less than 0.3 % better than the epoch before (6.0 -> 5.99 and 5.0 -> 5.0)."""
    rule, seen = Halve(1.0, 2.0), []
    for loss in [7.0, 6.0, 5.99, 5.5, 5.0, 5.0]:
        rule.observe(loss)
        seen.append((rule.rate(0), rule.finished))
    rates = [1, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert seen == list(zip(rates, [False] * 5 + [True], strict=True))


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_state_goes_on_alike(name):
    def make():
        return schedule(name, 0.5, decay=2.0, decay_after=1, epochs=6, warmup=3.0)

    first, second = make(), make()
    for loss in (3.0, 3.0):
        first.observe(loss)
    second.load_state_dict(first.state_dict())
    for epoch, loss in enumerate((2.0, 2.0, 2.5), start=2):
        assert second.rate(epoch) == first.rate(epoch)
        first.observe(loss)
        second.observe(loss)
        assert second.finished == first.finished


@pytest.mark.parametrize("name", SCHEDULES)
def test_warmup_rises_in_a_line_and_leaves_the_rest(name):
    options = {"decay": 2.0, "decay_after": 1, "epochs": 6}
    plain, warmed = schedule(name, 0.5, **options), schedule(name, 0.5, warmup=2.0, **options)
    for rule in (plain, warmed):
        for loss in (3.0, 3.0, 3.0):
            rule.observe(loss)
    shares = [warmed.rate(epoch) / plain.rate(epoch) for epoch in (0.0, 0.5, 1.0, 2.0, 5.0)]
    assert shares == pytest.approx([0.0, 0.25, 0.5, 1.0, 1.0])
    assert warmed.finished == plain.finished
    assert warmed.state_dict() == plain.state_dict()


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_starts_at_lr(name):
    assert schedule(name, 0.5, decay=2.0, decay_after=1, epochs=6).rate(0.0) == 0.5


def test_unknown_schedule():
    with pytest.raises(ConfigError, match="Did you mean 'cosine'"):
        schedule("cosin", 1.0, decay=2.0, decay_after=1, epochs=1)


def test_patience_counts_evaluations_without_a_new_best():
    rule, seen = EarlyStopping(2), []
    for loss in [3.0, 2.0, 2.5, 1.9, 1.9, 2.0]:
        rule.observe(loss)
        seen.append(rule.finished)
    assert seen == [False] * 5 + [True]


def test_no_patience_never_stops():
    rule = EarlyStopping(0)
    for _ in range(50):
        rule.observe(1.0)
    assert not rule.finished
