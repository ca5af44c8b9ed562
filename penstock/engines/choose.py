"""Which engine runs a program, and why.

The order is that of measured speed.  On the CPU, ``native`` comes before ``torch`` even for the
plain LSTM that oneDNN has: from one flat tensor of weights, ``torch`` was no faster beyond noise
(``docs/performance.md``), and it takes neither resets nor any but the plainest padding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from penstock.engines import native, pytorch, reference
from penstock.engines.stages import Sequence
from penstock.equations.plan import Plan
from penstock.errors import ConfigError
from penstock.registry import Registry

__all__ = ["ENGINES", "Choice", "Engine", "choose"]


@dataclass(frozen=True)
class Engine:
    """A way to run programs.

    Attributes:
        name: what the user calls it.
        run: takes a plan, weights and a sequence (see :func:`penstock.engines.reference.run`).
        supports: says why it cannot run a plan with such weights, or nothing when it can.
        accepts: says why it cannot run over a sequence and give traces, or nothing when it can.
        prepare: works out beforehand what runs of a plan will need; takes plan and sizes.
        describe: says how it runs a plan; takes plan and sizes.
    """

    name: str
    run: Callable[..., Any]
    supports: Callable[[Plan, Tensor], str]
    accepts: Callable[[Plan, Sequence, Collection[str]], str] = lambda *_: ""
    prepare: Callable[[Plan, Mapping[str, int]], None] = lambda *_: None
    describe: Callable[[Plan, Mapping[str, int]], str] = lambda *_: ""


@dataclass(frozen=True)
class Choice:
    """The engine picked for a plan, and the reason in plain words."""

    engine: Engine
    reason: str


ENGINES: Registry[Engine] = Registry("Recurrent", "engine")
_NATIVE = Engine(
    "native", native.run, native.supports, prepare=native.prepare, describe=native.describe
)
_TORCH = Engine(
    "torch", pytorch.run, pytorch.supports, accepts=pytorch.accepts, describe=pytorch.describe
)
for _engine in (_NATIVE, _TORCH, Engine("reference", reference.run, reference.supports)):
    ENGINES.add(_engine.name, _engine)


def choose(
    plan: Plan,
    flat: Tensor,
    engine: str = "auto",
    sequence: Sequence | None = None,
    trace: Collection[str] = (),
) -> Choice:
    """Pick an engine for a plan.

    Args:
        plan: the program with what runs when.
        flat: the weights, for their type and device.
        engine: "auto" for the fastest that can run it, or a name.
        sequence: what it is to run over, if known.
        trace: names to trace in it.

    Raises:
        ConfigError: the engine does not exist, or cannot run the program.
    """

    def refusal(candidate: Engine) -> str:
        why = candidate.supports(plan, flat)
        return why if why or sequence is None else candidate.accepts(plan, sequence, trace)

    if engine != "auto":
        chosen = ENGINES[engine]
        if why := refusal(chosen):
            raise ConfigError(f"Recurrent: engine={engine!r} cannot run this cell: {why}.")
        return Choice(chosen, "asked for by name")
    refusals: list[str] = []
    for name in ENGINES:  # the fastest first
        why = refusal(ENGINES[name])
        if not why:
            reason = "the fastest engine that runs this cell"
            return Choice(ENGINES[name], "; ".join([*refusals, reason]))
        refusals.append(f"not {name}: {why}")
    raise ConfigError(f"Recurrent: no engine runs {plan.program.name}: {'; '.join(refusals)}.")
