"""Training settings: all mistakes in one message, and what may change when a run goes on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass, fields

import pytest

from penstock.errors import ConfigError
from penstock.layers import output
from penstock.models.window import WINDOW
from penstock.training import TrainingSettings, language_settings, optimise, settings
from penstock.training.settings import option


def test_every_setting_has_help():
    assert all(item.metadata["help"] for item in fields(TrainingSettings))


def test_names_known_without_pytorch_are_the_names_there_are():
    assert set(settings.OPTIMISERS) == set(optimise.OPTIMISERS)
    assert set(language_settings.OUTPUTS) == set(output.OUTPUTS)
    assert WINDOW.name == language_settings.WINDOW


@pytest.mark.parametrize("module", ["penstock.cli.main", "penstock.training.language_settings"])
def test_settings_and_help_are_known_without_pytorch(module):
    """A process of its own: here PyTorch is long imported."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_mistakes_at_once():
    with pytest.raises(ConfigError) as caught:
        TrainingSettings(lr=0.0, epochs=0, patience=2.5, clip_norm=float("nan"), decay="2")
    parts = ("lr above 0, got lr=0.0", "epochs of at least 1", "whole number patience")
    for part in (*parts, "clip_norm=nan", "decay='2'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("optimiser", "sdg"), ("schedule", "zaremb")])
def test_unknown_choice(name, value):
    with pytest.raises(ConfigError, match=f"unknown {name} '{value}'. Did you mean"):
        TrainingSettings(**{name: value})


@dataclass(frozen=True, kw_only=True)
class More(TrainingSettings):
    dropout: float = option(0.0, "share of units left out", share=1)


@pytest.mark.parametrize(("value", "good"), [(0.0, True), (0.9, True), (1.0, False), (-0.1, False)])
def test_settings_of_a_task_have_options_of_their_own(value, good):
    if good:
        assert More(dropout=value, epochs=3).dropout == value
    else:
        with pytest.raises(ConfigError, match="More: expected dropout from 0 to below 1"):
            More(dropout=value)


def test_what_may_change_when_a_run_goes_on():
    saved = asdict(TrainingSettings())
    changed = TrainingSettings(lr=0.5, epochs=3, optimiser="sgd")
    assert TrainingSettings().changes(saved) == ([], [])
    assert changed.changes(saved) == (
        ["lr 0.001 -> 0.5", "epochs 10 -> 3"],
        ["optimiser 'adam' -> 'sgd'"],
    )
    assert changed.changes(saved, done=True).allowed == ["epochs 10 -> 3"]
