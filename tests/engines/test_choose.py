"""Which engine runs a program."""

from __future__ import annotations

import pytest
import torch

from penstock.engines import choose as choosing
from penstock.engines.choose import ENGINES, Engine, choose
from penstock.engines.stages import Sequence
from penstock.equations import parse
from penstock.equations.plan import plan
from penstock.errors import ConfigError
from penstock.registry import Registry
from tests.engines.case import SIZES

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


LSTM = parse("""
i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)
f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)
o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)
g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
c = f * c[t-1] + i * g
h = o * tanh(c)
""")


def test_torch_engine_where_native_cannot():
    choice = choose(plan(LSTM), WEIGHTS.half())
    assert choice.engine.name == "torch"
    assert choice.reason.startswith("not native: it computes in float32 or float64")
    assert choose(plan(LSTM), WEIGHTS).engine.name == "native"


def sequence(**options):
    return Sequence(torch.zeros(3, 2, 1), {"D": 1, "H": 1}, {}, **options)


GAP = torch.tensor([[1, 1], [0, 1], [1, 0]]).bool()
NOT_TORCH = {
    "reset": (sequence(reset=~GAP), (), "does not reset states within a sequence"),
    "gap": (sequence(mask=GAP), (), "padding at the end of a sequence only"),
    "trace": (sequence(), ("c",), "no value from within a step"),
}


@pytest.mark.parametrize(("given", "trace", "message"), NOT_TORCH.values(), ids=NOT_TORCH)
def test_torch_engine_refuses_a_sequence(given, trace, message):
    with pytest.raises(ConfigError, match=message):
        choose(plan(LSTM), WEIGHTS, "torch", given, trace)
    assert choose(plan(LSTM), WEIGHTS.half(), "auto", given, trace).engine.name == "reference"


def test_torch_engine_refuses_other_equations():
    with pytest.raises(ConfigError, match="PyTorch has no operation for the equations of cell"):
        choose(PLAN, WEIGHTS, "torch")


def test_torch_engine_says_what_it_runs():
    plans = [ENGINES["torch"].describe(plan(LSTM), {}), ENGINES["native"].describe(PLAN, SIZES)]
    assert plans[0].startswith("torch: what nn.LSTM runs, but not with resets")
    assert plans[1].startswith("native: a step is")
