"""Kill -9 at random moments: the same command ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.training.checkpoint import BEST, NEWEST, load_latest
from penstock.training.log import METRICS
from tests.training.toy import SETTINGS, train

PAUSE = 0.02
TOY = Path(__file__).with_name("toy.py")


def start(folder):
    return subprocess.Popen([sys.executable, TOY, folder, str(PAUSE)], env=dict(os.environ))


def test_kill_at_random_moments_then_the_same_bits(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(whole).wait() == 0
    moments, codes = random.Random(8), []
    for _ in range(4):
        process = start(cut)
        while not (cut / METRICS).exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.05, 12 * SETTINGS.epochs * PAUSE / 2))
        process.send_signal(signal.SIGKILL)
        codes.append(process.wait())
    assert -signal.SIGKILL in codes
    assert start(cut).wait() == 0
    for name in (METRICS, BEST):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("optimiser", ["asgd", "lbfgs", "momentum"])
def test_stopping_at_every_write_ends_with_the_same_bits(optimiser, tmp_path, monkeypatch):
    """The process "dies" at each fsync or renaming in turn, and begins again each time."""
    settings = replace(SETTINGS, optimiser=optimiser, nonmono=1, lr=0.4, epochs=3)
    settings = replace(settings, schedule="halve", checkpoint_every=7)
    train(tmp_path / "whole", settings)
    deaths = 0

    class Killed(BaseException):
        pass

    for kind in ("fsync", "replace"):
        real = getattr(os, kind)
        for number in range(1, 30, 6):
            calls = 0

            def dying(*args, real=real, number=number):
                nonlocal calls
                calls += 1
                if calls == number:
                    raise Killed
                return real(*args)

            with monkeypatch.context() as patch:
                patch.setattr(os, kind, dying)
                try:
                    train(tmp_path / "cut", settings)
                except Killed:
                    deaths += 1
    train(tmp_path / "cut", settings)
    assert deaths > 2
    for name in (METRICS, BEST):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    ends = [load_latest(tmp_path / run, pytest.fail) for run in ("cut", "whole")]
    for name, weight in ends[0]["model"].items():
        assert weight.equal(ends[1]["model"][name]), (name, NEWEST)
