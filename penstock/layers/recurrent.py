"""A recurrent layer of any cell: deep, bidirectional, masked, streaming."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from penstock.cells.base import Cell, as_program
from penstock.engines.modes import is_plain
from penstock.engines.precision import FULL, PRECISIONS
from penstock.equations.describe import describe
from penstock.equations.program import Program
from penstock.errors import ConfigError, ShapeError, unknown
from penstock.layers import convert
from penstock.layers.checks import check_lengths, check_type, positive, sizes_of_layers
from penstock.layers.direction import Direction
from penstock.layers.dropout import dropout
from penstock.layers.looking import LookingStream
from penstock.layers.memory import Memory
from penstock.layers.state import State, join, split, state_type
from penstock.layers.stream import Steps, Stream, refusal

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """Layers of one cell, called like ``nn.LSTM``.

    Args:
        cell: a name of the zoo, a :class:`~penstock.cells.Cell`, equations, or a Program.
        input_size: width of the input, D >= 1.
        hidden_size: H >= 1; one for all layers or one for each.
        num_layers: L >= 1.
        bidirectional: run a second set of weights from the last step to the first and
            concatenate the outputs.
        dropout: probability of dropping a unit between layers, in [0, 1).
        batch_first: whether sequences are (B, T, D) instead of (T, B, D).
        learn_state: whether the state before the first step is a parameter instead of zero.
        recompute: whether training keeps states of about sqrt(T) steps only and runs what lies
            between them again on the way back: less memory, more time.
        sizes: extra sizes of the cell, such as ``{"P": 64}`` for a projection.
        engine: "auto", or an engine by name.

    Shapes:
        xs (T, B, D) -> ys (T, B, directions * output size); state: a named tuple of the
        cell's states, each (layers * directions, B, size).

    Raises:
        EquationError: the equations are wrong.
        ConfigError: an option cannot work.
        ShapeError: a tensor does not fit.

    Example:
        >>> layer = Recurrent("lstm", 3, 5, num_layers=2)
        >>> ys, state = layer(torch.zeros(7, 2, 3))
        >>> tuple(ys.shape), tuple(state.c.shape)
        ((7, 2, 5), (2, 2, 5))
        >>> layer = Recurrent("h = tanh(W @ x + U @ h[t-1] + b)", 3, 5)
        >>> sorted(layer.weights())
        ['U', 'W', 'b']
    """

    def __init__(
        self,
        cell: str | type[Cell] | Program,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        learn_state: bool = False,
        recompute: bool = False,
        sizes: Mapping[str, float] | None = None,
        engine: str = "auto",
    ) -> None:
        super().__init__()
        self.program = as_program(cell).with_sizes(sizes or {})
        self.hidden_sizes = sizes_of_layers(hidden_size, num_layers)
        self.input_size, self.num_layers = positive("input_size", input_size), num_layers
        self.directions = 1 + bool(bidirectional)
        if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            raise ConfigError(f"Recurrent: expected dropout in [0, 1), got dropout={dropout}.")
        self.dropout, self.batch_first, self.learn_state = dropout, batch_first, learn_state
        self.stack = nn.ModuleList()
        size = input_size
        for hidden in self.hidden_sizes:
            layer = [
                Direction(
                    self.program,
                    size,
                    hidden,
                    learn_state=learn_state,
                    recompute=recompute,
                    engine=engine,
                )
                for _ in range(self.directions)
            ]
            self.stack.extend(layer)
            size = layer[0].output_size * self.directions
        self.output_size = size
        self._state = state_type(tuple(slot.field for slot in self.program.slots))
        self._steps: Steps | None = None
        self._looking: dict[tuple[str, ...], LookingStream] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what belongs to this process."""
        return {**super().__getstate__(), "_steps": None, "_looking": {}, "_state": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Back from :meth:`__getstate__`."""
        super().__setstate__(state)
        self._state = state_type(tuple(slot.field for slot in self.program.slots))

    def forward(
        self,
        xs: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        memory: Memory | None = None,
        trace: bool | Collection[str] = False,
    ) -> Any:
        """Run over a batch of sequences.

        Args:
            xs: input, (T, B, D), or (B, T, D) with ``batch_first``.
            state: before the first step; by default zeros or what was learnt.
            lengths: (B,), real steps of each sequence; the rest is padding at the end.
            mask: instead of lengths, (T, B) as ``xs``: True = real, padding anywhere.
            reset: (T, B) as ``xs``: True = the state starts anew before this step.
            memory: the source that the equations read as ``memory``.
            trace: also give every named value of every step, or those with these names.

        Returns:
            Outputs, zero at padding; the state after each sequence's last real step; with
            ``trace`` a dict per layer and direction from name to (T, B, size), of all named
            vectors and scalars, zero at padding.
        """
        self._check(xs, lengths, mask, reset)
        self._check_memory(xs, memory)
        names = self._traced(trace)
        if self.batch_first:
            xs = xs.transpose(0, 1)
            mask, reset = (a if a is None else a.transpose(0, 1) for a in (mask, reset))
        if lengths is not None:
            steps = torch.arange(xs.shape[0], device=xs.device)
            mask = steps[:, None] < lengths.to(xs.device)
        firsts = [direction.first_state(xs.shape[1], memory) for direction in self._directions()]
        states = firsts if state is None else split(state, firsts)
        given = {"mask": mask, "reset": reset, "memory": memory, "trace": names}
        ys, ends, traces = self._run(xs, states, given)
        end = join(ends, self._state)
        if self.batch_first:
            ys = ys.transpose(0, 1)
            traces = [{n: v.transpose(0, 1) for n, v in one.items()} for one in traces]
        return (ys, end, traces) if trace else (ys, end)

    def step(
        self,
        x: Tensor,
        state: State | None = None,
        *,
        memory: Memory | None = None,
        trace: Collection[str] = (),
    ) -> Any:
        """One step of streaming: x (B, D) -> y (B, output size) and the next state.

        With names in ``trace`` also their values (B, size), a dict for each layer.
        """
        if self.directions == 2:
            raise ConfigError("Recurrent.step: a bidirectional layer needs the whole sequence.")
        if state is not None:
            if memory is not None:
                taken = self._look(x, state, memory, trace)
            else:
                taken = None if trace else self._take_step(x, state)
            if taken is not None:
                return taken
        time = 1 if self.batch_first else 0
        ys, state, *traces = self(x.unsqueeze(time), state, memory=memory, trace=trace)
        y = ys.select(time, 0)
        if not trace:
            return y, state
        return y, state, [{n: v.select(time, 0) for n, v in one.items()} for one in traces[0]]

    @torch.no_grad()
    def stream(self, batch: int = 1, state: State | None = None) -> Stream:
        """``batch`` sequences to be read token by token, the quickest way: ``y = stream(x)``.

        See :class:`~penstock.layers.stream.Stream`. They begin with ``state``.

        Raises:
            ConfigError: steps of this layer do not run in compiled code.
        """
        if reason := "it is bidirectional" if self.directions == 2 else self._not_streamed():
            raise ConfigError(f"Recurrent.stream: no compiled steps, {reason}. Use step().")
        xs = self._directions()[0].flat.new_zeros(batch, 0, self.input_size)
        _, start = self(xs if self.batch_first else xs.transpose(0, 1), state)
        return Stream(self._directions(), batch, start)

    def _look(
        self, x: Tensor, state: State, memory: Memory, trace: Collection[str]
    ) -> tuple[Any, ...] | None:
        """A step that looks at a source in compiled code, or None where it cannot be taken."""
        self._check_memory(x.unsqueeze(1 if self.batch_first else 0), memory)
        if not is_plain():
            return None
        names, layers = tuple(self._traced(trace)), self._directions()
        known = self._looking.get(names)
        if known is None or not known.is_current():
            if self._not_streamed():
                return None
            known = self._looking[names] = LookingStream(layers, names)
        taken = known.step(x, state, memory)
        if taken is None:
            return None
        y, state, traces = taken
        return (y, state, traces) if trace else (y, state)

    def _take_step(self, x: Tensor, state: State) -> tuple[Tensor, State] | None:
        """A step in compiled code, or None where it cannot be taken there."""
        steps = self._steps
        if steps is not None and (taken := steps.step(x, state)) is not None:
            return taken
        if not is_plain() or (steps is not None and steps.is_current()) or self._not_streamed():
            return None
        self._steps = Steps(self._directions())
        return self._steps.step(x, state)

    def _not_streamed(self) -> str:
        """Why single steps do not run in compiled code; empty when they do."""
        return refusal(self._directions(), self.dropout if self.training else 0.0)

    def weights(
        self, layer: int = 0, direction: int = 0, *, grad: bool = False
    ) -> dict[str, Tensor]:
        """Name to view of every weight of one layer, or of its gradient.

        The views share memory with the parameter: writing into them sets the weights.
        """
        if not (0 <= layer < self.num_layers and 0 <= direction < self.directions):
            raise ConfigError(
                f"Recurrent.weights: expected layer < {self.num_layers} and direction < "
                f"{self.directions}, got layer={layer}, direction={direction}."
            )
        return self._directions()[layer * self.directions + direction].weights(grad=grad)

    def quantise(self, precision: str) -> Self:
        """Round the matrices that products take to "bfloat16" or "int8"; "float32" ends it.

        int8 has a scale for each unit and gate.  The parameters stay as they are: evaluation packs
        them in fewer bits, and training rounds them in every pass, with a gradient as if it did
        not.

        Raises:
            ConfigError: there is no such precision, or the layer cannot run with it.
        """
        PRECISIONS[precision]
        for direction in self._directions():
            direction.set_precision(precision)
        self._steps, self._looking = None, {}
        return self

    def train(self, mode: bool = True) -> Self:
        """Set the mode; nothing made of the weights outlives it."""
        self._steps, self._looking = None, {}
        return super().train(mode)

    def reset_parameters(self) -> None:
        """Draw all start values again."""
        for direction in self._directions():
            direction.reset_parameters()

    def plan(self) -> str:
        """What runs where and why, in plain words."""
        lines = []
        for index, direction in enumerate(self._directions()):
            layer, way = divmod(index, self.directions)
            choice = direction.choice
            lines.append(
                f"layer {layer}{' backward' if way else ''}: engine {choice.engine.name} "
                f"({choice.reason})"
            )
        first = self._directions()[0]
        lines.append(describe(first.plan))
        if first.precision != FULL:
            lines.append(f"products take matrices in {first.precision}, states are float32")
        if first.recompute:
            lines.append("in training: states of about sqrt(T) steps are kept, the rest run again")
        if how := first.choice.engine.describe(first.plan, first.sizes):
            lines.append(how)
        if self.directions == 1:
            reason = self._not_streamed()
            how = f"by a sequence of one, because {reason}" if reason else "compiled, packed once"
            lines.append(f"single steps: {how}")
        return "\n".join(lines)

    @classmethod
    def from_torch(cls, module: nn.RNN | nn.LSTM | nn.GRU) -> Recurrent:
        """A layer that computes what an ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` computes."""
        return convert.from_torch(cls, module)

    def to_torch(self) -> nn.RNN | nn.LSTM | nn.GRU:
        """The ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` that computes what this layer computes."""
        return convert.to_torch(self)

    def extra_repr(self) -> str:
        """The sizes, for ``repr``."""
        sizes = ", ".join(map(str, self.hidden_sizes))
        both = ", bidirectional" if self.directions == 2 else ""
        return f"{self.program.name}, {self.input_size} -> {sizes}{both}"

    def _directions(self) -> list[Direction]:
        return cast("list[Direction]", list(self.stack))

    def _run(
        self,
        xs: Tensor,
        states: list[dict[str, Tensor]],
        given: dict[str, Any],
    ) -> tuple[Tensor, list[dict[str, Tensor]], list[dict[str, Tensor]]]:
        ends, traces = [], []
        outputs: list[Tensor] = []
        for index, direction in enumerate(self._directions()):
            layer, way = divmod(index, self.directions)
            if layer and not way:
                xs = dropout(_side_by_side(outputs), self.dropout, self.training)
                outputs = []
            ys, end, values = direction(xs, states[index], reverse=bool(way), **given)
            outputs.append(ys)
            ends.append(end)
            traces.append(values)
        return _side_by_side(outputs), ends, traces

    def _traced(self, trace: bool | Collection[str]) -> Collection[str]:
        """Names to trace."""
        names = self.program.indices
        if isinstance(trace, bool):
            return names if trace else ()
        for name in trace:
            if name not in names:
                raise unknown("Recurrent", "traced name", name, names)
        return trace

    def _check_memory(self, xs: Tensor, memory: Memory | None) -> None:
        if (memory is not None) != self.program.reads_memory:
            needs = "a memory" if memory is None else "no memory"
            raise ConfigError(
                f"Recurrent: expected {needs}: {self.program.name} "
                f"{'reads' if memory is None else 'does not read'} one."
            )
        if memory is None:
            return
        first = self._directions()[0]
        batch, width = xs.shape[0 if self.batch_first else 1], first.sizes["M"]
        got = memory.batch, memory.values.shape[2]
        if got != (batch, width):
            raise ShapeError(
                f"Recurrent: expected a memory of shape (S, {batch}, {width}), "
                f"got ({memory.steps}, {got[0]}, {got[1]})."
            )
        check_type("a memory", memory.values, first.flat.dtype)

    def _check(
        self, xs: Tensor, lengths: Tensor | None, mask: Tensor | None, reset: Tensor | None
    ) -> None:
        order = "(B, T)" if self.batch_first else "(T, B)"
        if not isinstance(xs, Tensor):
            raise ShapeError(
                f"Recurrent: expected xs as a tensor, got {type(xs).__name__}. "
                "Give a padded tensor and lengths=."
            )
        if xs.ndim != 3 or xs.shape[-1] != self.input_size:
            raise ShapeError(
                f"Recurrent: expected xs of shape {order[:-1]}, D) with D = {self.input_size}, "
                f"got {tuple(xs.shape)}."
            )
        check_type("xs", xs, self._directions()[0].flat.dtype)
        if lengths is not None and mask is not None:
            raise ConfigError("Recurrent: give lengths or mask, not both.")
        if lengths is not None:
            steps, batch = xs.shape[:2][::-1] if self.batch_first else xs.shape[:2]
            check_lengths(lengths, steps, batch)
        for name, value in (("mask", mask), ("reset", reset)):
            if value is not None and (value.shape != xs.shape[:2] or value.dtype != torch.bool):
                raise ShapeError(
                    f"Recurrent: expected {name} of shape {order} = {tuple(xs.shape[:2])} and type "
                    f"bool, got {tuple(value.shape)} of {value.dtype}."
                )


def _side_by_side(outputs: list[Tensor]) -> Tensor:
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
