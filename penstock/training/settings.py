"""The settings of a training run: what the command line, a recipe and a checkpoint all hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from penstock.errors import ConfigError, unknown
from penstock.training.optimise import OPTIMISERS
from penstock.training.schedule import SCHEDULES

__all__ = ["TrainingSettings"]


def _option(default: Any, help: str, **limits: Any) -> Any:
    """A field with its help text; ``minimum``, ``above`` and ``choices`` limit its value, and
    ``fixed`` says that a checkpoint cannot be continued with another one."""
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a model is trained, whatever the model is.

    Raises:
        ConfigError: naming every value that cannot work, all in one message.

    Example:
        >>> TrainingSettings(lr=20.0, optimiser="sgd", clip_norm=0.25).epochs
        10
    """

    optimiser: str = _option("adam", "how weights are updated", choices=OPTIMISERS, fixed=True)
    lr: float = _option(0.001, "learning rate at the start", above=0)
    momentum: float = _option(
        0.9, "share of the last step kept (optimiser momentum only)", minimum=0, fixed=True
    )
    weight_decay: float = _option(0.0, "pull of every weight towards 0", minimum=0, fixed=True)
    nonmono: int = _option(
        5, "evaluations without improvement before asgd starts averaging", minimum=1, fixed=True
    )
    clip_norm: float = _option(5.0, "largest norm of the whole gradient (0: any)", minimum=0)
    clip_per_parameter: float = _option(
        0.0, "largest norm of each weight's gradient (0: any)", minimum=0
    )
    clip_value: float = _option(0.0, "largest size of a gradient's entry (0: any)", minimum=0)
    loss_scale: float = _option(
        1.0, "the loss per token is multiplied by this before the gradient is taken", above=0
    )
    schedule: str = _option(
        "constant", "how the learning rate changes", choices=SCHEDULES, fixed=True
    )
    decay: float = _option(2.0, "divisor of the learning rate (halve, zaremba)", above=1)
    decay_after: int = _option(4, "epochs at the first learning rate (zaremba)", minimum=0)
    epochs: int = _option(10, "passes over the training data", minimum=1)
    patience: int = _option(
        0, "stop after so many evaluations without improvement (0: never)", minimum=0
    )
    seed: int = _option(1, "start of the random numbers", minimum=0, fixed=True)
    checkpoint_every: int = _option(
        1000, "updates between checkpoints within an epoch (0: at its end only)", minimum=0
    )
    log_every: int = _option(
        100, "updates between lines in metrics.jsonl (0: one line an epoch)", minimum=0
    )
    tensorboard: bool = _option(False, "write TensorBoard's event files too")

    def __post_init__(self) -> None:
        faults = [fault for item in fields(self) if (fault := self._fault(item.name))]
        if faults:
            raise ConfigError(f"{type(self).__name__}: " + " ".join(faults))

    def _fault(self, name: str) -> str:
        """What is wrong with one setting, or an empty text."""
        limits, value = type(self).__dataclass_fields__[name].metadata, getattr(self, name)
        if "choices" in limits and value not in limits["choices"]:
            raise unknown(type(self).__name__, name, value, limits["choices"])
        low = limits.get("above", limits.get("minimum"))
        if low is None:
            return ""
        number = isinstance(value, int | float) and math.isfinite(value)
        if number and (value > low or (value == low and "above" not in limits)):
            return ""
        bound = f"above {low}" if "above" in limits else f"of at least {low}"
        return f"expected {name} {bound}, got {name}={value!r}."

    def continues(self, saved: Mapping[str, Any]) -> list[str]:
        """The settings that differ from those of a saved run, as ``name old -> new``.

        Raises:
            ConfigError: when one of them decides what the checkpoint holds.
        """
        changed = {
            name: f"{name} {saved[name]!r} -> {value!r}"
            for name, value in asdict(self).items()
            if name in saved and saved[name] != value
        }
        known = type(self).__dataclass_fields__
        wrong = [text for name, text in changed.items() if known[name].metadata.get("fixed")]
        if wrong:
            raise ConfigError(
                f"{type(self).__name__}: expected the settings this run began with, "
                f"got {', '.join(wrong)}. Keep them, or train in another folder."
            )
        return list(changed.values())
