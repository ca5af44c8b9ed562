"""Which engine runs a program."""

from __future__ import annotations

import pytest
import torch

from penstock.engines import choose as choosing
from penstock.engines.choose import ENGINES, Engine, choose
from penstock.equations import parse
from penstock.equations.plan import plan
from penstock.errors import ConfigError
from penstock.registry import Registry

WEIGHTS = torch.zeros(1)
PLAN = plan(parse("h = tanh(W @ x)"))


@pytest.fixture
def picky(monkeypatch):
    """A faster engine that refuses every program."""
    engines = Registry("Recurrent", "engine")
    engines.add("picky", Engine("picky", None, lambda plan, flat: "it has no tanh"))
    engines.add("reference", ENGINES["reference"])
    monkeypatch.setattr(choosing, "ENGINES", engines)


def test_auto_picks_one_that_can(picky):
    choice = choose(PLAN, WEIGHTS)
    assert choice.engine.name == "reference"
    assert choice.reason.startswith("not picky: it has no tanh")


def test_engine_asked_for_says_why_not(picky):
    with pytest.raises(ConfigError, match="engine='picky' cannot run this cell: it has no tanh"):
        choose(PLAN, WEIGHTS, "picky")


def test_unknown_engine():
    with pytest.raises(ConfigError, match="Did you mean 'reference'"):
        choose(PLAN, WEIGHTS, "referense")


def test_native_engine_says_what_it_cannot_do():
    assert choose(PLAN, WEIGHTS).engine.name == "native"
    assert choose(PLAN, WEIGHTS.half()).engine.name == "reference"
    with pytest.raises(ConfigError, match="float32 or float64, and the weights"):
        choose(PLAN, WEIGHTS.half(), "native")
    with pytest.raises(ConfigError, match="runs on the CPU, and the weights are on meta"):
        choose(PLAN, WEIGHTS.to("meta"), "native")
