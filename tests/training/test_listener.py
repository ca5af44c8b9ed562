"""Listener: silent, plain or live, as stderr and the user want it."""

from __future__ import annotations

import io
import re

from rich.console import Console

from penstock.training import listener as module
from penstock.training.listener import Listener, LiveListener, PlainListener, listener


def drive(shown):
    with shown:
        shown.start(epochs=2, updates_per_epoch=2, done=1)
        shown.update(1, {"loss": 2.0, "perplexity": 7.389}, 20)
        shown.epoch(1, {"train_loss": 2.0, "valid_loss": 1.5})
        shown.message("saved in [bold]")


def test_silent(capsys):
    drive(Listener())
    assert capsys.readouterr() == ("", "")


def test_plain_is_one_line_an_epoch_on_stderr(capsys):
    drive(PlainListener())
    out, err = capsys.readouterr()
    assert out == ""
    first, message = err.splitlines()
    speed = r"[\d,]+ tokens/s  \d+:\d\d:\d\d left"
    assert re.fullmatch(rf"epoch 1/2  train_loss 2  valid_loss 1.5  {speed}", first)
    assert message == "saved in [bold]"


def test_live_shows_figures_speed_and_lines():
    stream = io.StringIO()
    drive(LiveListener(Console(file=stream, force_terminal=True, width=120)))
    text = stream.getvalue()
    for part in ("epoch 1/2", "perplexity 7.389", "tokens/s", "valid_loss 1.5", "saved in [bold]"):
        assert part in text


def test_the_choice(monkeypatch):
    assert type(listener(quiet=True)) is Listener
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: False, raising=False)
    assert type(listener()) is PlainListener
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    assert type(listener()) is LiveListener
