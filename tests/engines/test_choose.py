"""Which engine runs a program."""

from __future__ import annotations

import pytest

from penstock.engines import choose as choosing
from penstock.engines.choose import ENGINES, Engine, choose
from penstock.equations import parse
from penstock.equations.plan import plan
from penstock.errors import ConfigError
from penstock.registry import Registry

PLAN = plan(parse("h = tanh(W @ x)"))


@pytest.fixture
def picky(monkeypatch):
    """A faster engine that refuses every program."""
    engines = Registry("Recurrent", "engine")
    engines.add("reference", ENGINES["reference"])
    engines.add("picky", Engine("picky", None, lambda plan: "it has no tanh"))
    monkeypatch.setattr(choosing, "ENGINES", engines)


def test_auto_picks_one_that_can(picky):
    assert choose(PLAN).engine.name == "reference"


def test_engine_asked_for_says_why_not(picky):
    with pytest.raises(ConfigError, match="engine='picky' cannot run this cell: it has no tanh"):
        choose(PLAN, "picky")


def test_unknown_engine():
    with pytest.raises(ConfigError, match="Did you mean 'reference'"):
        choose(PLAN, "referense")
