"""The settings of a training run: what the command line, a recipe and a checkpoint all hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, NamedTuple

from penstock.errors import ConfigError, unknown
from penstock.training.schedule import SCHEDULES

__all__ = [
    "ALWAYS",
    "OPTIMISERS",
    "UNTIL_DONE",
    "Changes",
    "TrainingSettings",
    "beginning",
    "option",
]

OPTIMISERS = (
    *("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"),
    *("asgd", "lbfgs", "cg"),
)
"""Names of :data:`penstock.training.optimise.OPTIMISERS`, without PyTorch."""
PRODUCTS = ("float32", "bfloat16")
"""What :func:`penstock.engines.precision.products_in` takes, without PyTorch."""
ALWAYS, UNTIL_DONE = "always", "until done"


def option(default: Any, help: str, **limits: Any) -> Any:
    """A field of a settings class with its help text.

    Args:
        limits: ``choices`` (the names allowed), ``minimum`` (the least value), ``above`` (a value
            it must exceed), ``share`` (it must be at least 0 and below this), ``free`` (when a run
            may go on with another value: ALWAYS, or UNTIL_DONE, not once it came to its end).
    """
    return field(default=default, metadata={"help": help, **limits})


class Changes(NamedTuple):
    """Settings that differ, each as ``name old -> new``: those that may, and those that may not."""

    allowed: list[str]
    refused: list[str]


def beginning(parent: type, name: str, default: Any) -> Any:
    """A parent's setting that begins with another value."""
    metadata = parent.__dataclass_fields__[name].metadata  # type: ignore[attr-defined]
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained, whatever the model is.

    Raises:
        ConfigError: naming every value that cannot work, all in one message.

    Example:
        >>> TrainingSettings(lr=20.0, optimiser="sgd", clip_norm=0.25).epochs
        10
    """

    optimiser: str = option("adam", "how weights are updated", choices=OPTIMISERS)
    lr: float = option(0.001, "learning rate at the start", above=0, free=UNTIL_DONE)
    momentum: float = option(
        0.9, "share of the last step kept (optimiser momentum only)", minimum=0
    )
    weight_decay: float = option(0.0, "pull of every weight towards 0", minimum=0)
    nonmono: int = option(
        5, "evaluations without improvement before asgd starts averaging", minimum=1
    )
    clip_norm: float = option(
        5.0, "largest norm of the whole gradient (0: any)", minimum=0, free=UNTIL_DONE
    )
    clip_per_parameter: float = option(
        0.0, "largest norm of each weight's gradient (0: any)", minimum=0, free=UNTIL_DONE
    )
    clip_value: float = option(
        0.0, "largest size of a gradient's entry (0: any)", minimum=0, free=UNTIL_DONE
    )
    loss_scale: float = option(
        1.0,
        "the loss per token is multiplied by this before the gradient is taken",
        above=0,
        free=UNTIL_DONE,
    )
    schedule: str = option("constant", "how the learning rate changes", choices=SCHEDULES)
    decay: float = option(2.0, "divisor of the learning rate (halve, zaremba)", above=1)
    decay_after: int = option(4, "epochs at the first learning rate (zaremba)", minimum=0)
    warmup: float = option(0.0, "epochs over which the learning rate rises from 0", minimum=0)
    epochs: int = option(10, "passes over the training data", minimum=1, free=ALWAYS)
    patience: int = option(
        0, "stop after so many evaluations without improvement (0: never)", minimum=0, free=ALWAYS
    )
    ema: float = option(
        0.0, "evaluate an exponential average of the weights with this decay (0: none)", share=1
    )
    average: int = option(1, "best epochs whose weights are averaged in the end", minimum=1)
    precision: str = option(
        "float32", "numbers that products of training take", choices=PRODUCTS, free=ALWAYS
    )
    seed: int = option(1, "start of the random numbers", minimum=0)
    checkpoint_every: int = option(
        1000,
        "updates between checkpoints within an epoch (0: at its end only)",
        minimum=0,
        free=ALWAYS,
    )
    log_every: int = option(
        100, "updates between lines in metrics.jsonl (0: one line an epoch)", minimum=0, free=ALWAYS
    )
    tensorboard: bool = option(False, "write TensorBoard's event files too", free=ALWAYS)

    def __post_init__(self) -> None:
        faults = [
            fault for item in fields(self) if (fault := _fault(item, getattr(self, item.name)))
        ]
        if faults:
            raise ConfigError(f"{type(self).__name__}: " + " ".join(faults))

    def changes(self, saved: Mapping[str, Any], *, done: bool = False) -> Changes:
        """What differs from the settings that a run began with.

        Args:
            saved: those settings.
            done: whether the run has come to its end before.
        """
        found = Changes([], [])
        free = {ALWAYS} if done else {ALWAYS, UNTIL_DONE}
        for item in fields(self):
            old, new = saved.get(item.name, item.default), getattr(self, item.name)
            if old != new:
                kind = found.allowed if item.metadata.get("free") in free else found.refused
                kind.append(f"{item.name} {_short(old)} -> {_short(new)}")
        return found


def _short(value: Any) -> str:
    """A value on one short line: equations can be long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fault(item: Field[Any], value: Any) -> str:
    """What is wrong with the value of a field, or an empty text."""
    limits, name = item.metadata, item.name
    if "choices" in limits:
        wrong = value not in limits["choices"]
        return str(unknown("", name, value, limits["choices"])).removeprefix(": ") if wrong else ""
    bounds = {
        "minimum": ("of at least {}", lambda limit: value >= limit),
        "above": ("above {}", lambda limit: value > limit),
        "share": ("from 0 to below {}", lambda limit: 0 <= value < limit),
    }
    kind = int if isinstance(item.default, int) else int | float
    for rule, (words, holds) in bounds.items():
        limit = limits.get(rule)
        if limit is None:
            continue
        if not isinstance(value, kind) or not math.isfinite(value) or not holds(limit):
            number = f"whole number {name}" if kind is int else name
            return f"expected {number} {words.format(limit)}, got {name}={value!r}."
    return ""
