"""One layer in one direction: the weights of a cell and its run over a sequence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from penstock.caching import cached_property
from penstock.engines.choose import Choice, Engine, choose
from penstock.engines.modes import is_plain
from penstock.engines.noise import draw
from penstock.engines.precision import FULL
from penstock.engines.stages import Sequence
from penstock.engines.storage import Layout, Snapshot, Weights
from penstock.engines.stream import Streamed, streamed
from penstock.equations import chance
from penstock.equations.plan import Plan, plan
from penstock.equations.program import SOURCE, Initial, Program, Slot
from penstock.errors import ConfigError
from penstock.layers.memory import Memory
from penstock.layers.recompute import run_in_segments

__all__ = ["Direction"]


class Direction(nn.Module):
    """A cell with its weights in one flat tensor.

    Attributes:
        program: the cell, regularisers included.
        sizes: every size by name.
        flat: all weights, matrices that are multiplied together side by side.
        precision: what products round matrices to.
    """

    def __init__(
        self,
        program: Program,
        input_size: int,
        hidden_size: int,
        *,
        learn_state: bool = False,
        recompute: bool = False,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.program, self.engine, self.recompute = program, engine, recompute
        self.sizes = program.resolve(input_size, hidden_size)
        self._plans: dict[bool, Plan] = {
            False: plan(chance.evaluation(program)),
            True: plan(chance.training(program)),
        }
        self.layout = Layout(self._plans[False], self.sizes)
        try:
            self.flat = nn.Parameter(torch.empty(self.layout.size))
        except RuntimeError as error:
            raise ConfigError(
                f"Recurrent: expected sizes that fit in memory, got {self.layout.size:.1e} weights "
                f"for input_size={input_size}, hidden_size={hidden_size}."
            ) from error
        if learn_state and any(slot.size == (SOURCE,) for slot in program.slots):
            raise ConfigError(
                "Recurrent: expected learn_state=False for a state with an entry for each source "
                f"word, got learn_state=True for {program.name}."
            )
        self.learn_state = learn_state
        self.precision = FULL
        self._kept: Snapshot | None = None
        self._choices: dict[tuple[bool, torch.dtype, torch.device], Choice] = {}
        for made in self._plans.values():  # an engine that cannot run this is refused now
            self.choice.engine.prepare(made, self.sizes)
        for slot in program.slots if learn_state else ():
            self.register_parameter(
                _learnt(slot), nn.Parameter(torch.zeros(_width(slot, self.sizes)))
            )
        self.reset_parameters()

    @cached_property
    def output_size(self) -> int:
        """Width of the output."""
        return self.sizes[self.program.output_shape[0]]

    @property
    def plan(self) -> Plan:
        """What runs when, in the present mode (training or evaluation)."""
        return self._plans[self.training]

    @property
    def choice(self) -> Choice:
        """The engine, in the present mode, type and device."""
        key = self.training, self.flat.dtype, self.flat.device
        if key not in self._choices:
            self._choices[key] = choose(self.plan, self.flat, self.engine)
        found = self._choices[key]
        if self.precision != FULL and (why := self._not_reduced(found)):
            raise ConfigError(f"Recurrent: weights in {self.precision} do not run: {why}.")
        return found

    def set_precision(self, precision: str) -> None:
        """Round the matrices, if that runs.

        Args:
            precision: of :data:`penstock.engines.precision.PRECISIONS`.
        """
        before, self.precision = self.precision, precision
        try:
            assert self.choice
        except ConfigError:
            self.precision = before
            raise

    def _not_reduced(self, choice: Choice) -> str:
        """Why weights in fewer bits do not run; empty when they do."""
        if self.program.reads_memory:
            return f"{self.program.name} reads a source"
        if self.flat.dtype != torch.float32:
            return f"they stand for float32, and the weights are {self.flat.dtype}"
        is_torch = choice.engine.name == "torch"
        return f"engine={self.engine!r} chose torch, which takes float32" if is_torch else ""

    def _engine(self, sequence: Sequence, trace: Collection[str]) -> Engine:
        """The engine for a sequence: one may run the cell, but not with resets or traces."""
        chosen = self.choice.engine
        if not chosen.accepts(self.plan, sequence, trace):
            return chosen
        return choose(self.plan, self.flat, self.engine, sequence, trace).engine

    def weights(self, *, grad: bool = False) -> dict[str, Tensor]:
        """Name to view of every weight, or of its gradient (zeros where there is none yet)."""
        if not grad:
            return self.layout.views(self.flat.detach())
        if self.flat.grad is None:
            self.flat.grad = torch.zeros_like(self.flat)
        return self.layout.views(self.flat.grad)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start values: the cell's own, else uniform in +-1/sqrt(H) as in ``torch.nn``."""
        bound = 1 / math.sqrt(self.sizes["H"])
        views = self.weights()
        for weight in self.program.weights:
            _start(views[weight.name], weight.initial, bound)
        for slot in self.program.slots if self.learn_state else ():
            self.get_parameter(_learnt(slot)).zero_()

    def first_state(self, batch: int, memory: Memory | None = None) -> dict[str, Tensor]:
        """Slot name to the state before any input: learnt, or zeros; (B, size)."""
        sizes = self._sizes(memory)
        return {
            slot.field: self.get_parameter(_learnt(slot)).expand(batch, -1)
            if self.learn_state
            else self.flat.new_zeros(batch, _width(slot, sizes))
            for slot in self.program.slots
        }

    def forward(
        self,
        xs: Tensor,
        state: dict[str, Tensor],
        *,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        memory: Memory | None = None,
        reverse: bool = False,
        trace: Collection[str] = (),
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Run over (T, B, D); see :func:`penstock.engines.reference.run`.

        A reset before step t parts t-1 from t: in reverse it comes before step t-1.
        """
        steps, batch = xs.shape[:2]
        if reset is not None and reverse:
            reset = torch.cat([reset[1:], torch.zeros_like(reset[:1])])
        sizes = self._sizes(memory)
        sequence = Sequence(
            xs,
            sizes,
            state,
            first=self.first_state(batch, memory) if reset is not None else {},
            mask=mask,
            reset=reset,
            noise=draw(self.plan.program, sizes, steps, batch, xs),
            memory=None if memory is None else memory.annotations,
            reverse=reverse,
        )
        weights = self._weights()
        run = partial(self._engine(sequence, trace).run, self.plan, weights, trace=trace)
        if self.recompute and torch.is_grad_enabled():
            return run_in_segments(run, sequence)
        return run(sequence)

    def streamed(self, trace: Collection[str] = ()) -> Streamed:
        """This layer ready to take single steps with its present weights."""
        weights = Weights(self.layout, self.flat.detach(), self.precision)
        return streamed(self.plan, weights, self.sizes, trace)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; nothing made of the weights outlives it."""
        self._kept = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is made of the weights, and the engines, which are found again."""
        return {**super().__getstate__(), "_kept": None, "_choices": {}}

    def _weights(self) -> Weights:
        """The weights for a run; evaluation keeps what is made of them until they change."""
        flat, precision = self.flat, self.precision
        if self.training or not is_plain(flat) or flat.is_inference():
            return Weights(self.layout, flat, precision, in_segments=self.recompute)
        if self._kept is None or not self._kept.is_of(flat):
            self._kept = Snapshot(flat)
        found: Weights = self._kept.keep(
            precision, lambda: Weights(self.layout, flat.detach(), precision)
        )
        return found

    def _sizes(self, memory: Memory | None) -> dict[str, int]:
        """Every size by name, that of the source too."""
        return self.sizes if memory is None else {**self.sizes, SOURCE: memory.steps}


def _width(slot: Slot, sizes: Mapping[str, int]) -> int:
    return sizes[slot.size[0]] if slot.size else 1


def _learnt(slot: Slot) -> str:
    """Name of the parameter that holds a learnt first state."""
    return f"learnt_{slot.field}"


def _start(view: Tensor, initial: Initial, bound: float) -> None:
    match initial:
        case None:
            view.uniform_(-bound, bound)
        case "identity":
            nn.init.eye_(view)
        case "orthogonal":
            nn.init.orthogonal_(view)
        case ("uniform", low, high):
            view.uniform_(low, high)
        case float() | int():
            view.fill_(initial)
        case _:
            raise AssertionError(f"unknown start value {initial!r}")
