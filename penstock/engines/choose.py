"""Which engine runs a program, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from penstock.engines import native, reference
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
    """

    name: str
    run: Callable[..., Any]
    supports: Callable[[Plan, Tensor], str]


@dataclass(frozen=True)
class Choice:
    """The engine picked for a plan, and the reason in plain words."""

    engine: Engine
    reason: str


ENGINES: Registry[Engine] = Registry("Recurrent", "engine")
ENGINES.add("native", Engine("native", native.run, native.supports))
ENGINES.add("reference", Engine("reference", reference.run, reference.supports))


def choose(plan: Plan, flat: Tensor, engine: str = "auto") -> Choice:
    """Pick an engine for a plan.

    Args:
        plan: the program with what runs when.
        flat: the weights, for their type and device.
        engine: "auto" for the fastest that can run it, or a name.

    Raises:
        ConfigError: the engine does not exist, or cannot run the program.
    """
    if engine != "auto":
        chosen = ENGINES[engine]
        refusal = chosen.supports(plan, flat)
        if refusal:
            raise ConfigError(f"Recurrent: engine={engine!r} cannot run this cell: {refusal}.")
        return Choice(chosen, "asked for by name")
    refusals: list[str] = []
    for name in ENGINES:  # the fastest first
        refusal = ENGINES[name].supports(plan, flat)
        if not refusal:
            reason = "the fastest engine that runs this cell"
            return Choice(ENGINES[name], "; ".join([*refusals, reason]))
        refusals.append(f"not {name}: {refusal}")
    raise ConfigError(f"Recurrent: no engine runs {plan.program.name}: {'; '.join(refusals)}.")
