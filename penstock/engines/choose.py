"""Which engine runs a program, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.engines import reference
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
        supports: says why it cannot run a plan, or nothing when it can.
    """

    name: str
    run: Callable[..., Any]
    supports: Callable[[Plan], str]


@dataclass(frozen=True)
class Choice:
    """The engine picked for a plan, and the reason in plain words."""

    engine: Engine
    reason: str


ENGINES: Registry[Engine] = Registry("Recurrent", "engine")
ENGINES.add("reference", Engine("reference", reference.run, reference.supports))


def choose(plan: Plan, engine: str = "auto") -> Choice:
    """Pick an engine for a plan.

    Args:
        plan: the program with what runs when.
        engine: "auto" for the fastest that can run it, or a name.

    Raises:
        ConfigError: the engine does not exist, or cannot run the program.
    """
    if engine != "auto":
        chosen = ENGINES[engine]
        refusal = chosen.supports(plan)
        if refusal:
            raise ConfigError(f"Recurrent: engine={engine!r} cannot run this cell: {refusal}.")
        return Choice(chosen, "asked for by name")
    for name in reversed(list(ENGINES)):
        if not ENGINES[name].supports(plan):
            return Choice(ENGINES[name], "the fastest engine that runs this cell")
    raise ConfigError(f"Recurrent: no engine runs {plan.program.name}.")
