"""A program with everything an engine needs to run it."""

from __future__ import annotations

import numpy as np
import torch

from penstock.engines import reference
from penstock.engines.noise import draw
from penstock.engines.stages import Sequence
from penstock.engines.storage import Layout, Weights
from penstock.equations.plan import plan
from tests import naive
from tests.tolerances import assert_close

__all__ = ["SIZES", "Case", "assert_same", "small"]

SIZES = {"D": 2, "H": 3, "P": 4}


class Case:
    """A program with random weights, input, first state and masks, in float64."""

    def __init__(
        self,
        program,
        *,
        steps=5,
        batch=3,
        hidden=None,
        padding=False,
        resets=False,
        reverse=False,
        dtype=None,
    ):
        self.program, self.dtype, self.reverse = program, dtype or torch.float64, reverse
        sizes = SIZES if hidden is None else {"D": hidden, "H": hidden, "P": hidden}
        self.sizes = program.resolve(sizes["D"], sizes["H"]) | sizes
        self.plan = plan(program)
        self.layout = Layout(self.plan, self.sizes)
        self.flat = torch.randn(self.layout.size, dtype=self.dtype)
        self.xs = torch.randn(steps, batch, sizes["D"], dtype=self.dtype)
        self.state, self.first = self.draw_state(), self.draw_state()
        self.mask = torch.rand(steps, batch) > 0.3 if padding else None
        if padding == "at the end":
            self.mask = torch.arange(steps)[:, None] < torch.randint(steps + 1, (batch,))
        self.reset = torch.rand(steps, batch) > 0.7 if resets else None
        self.noise = draw(program, self.sizes, steps, batch, self.xs)

    def draw_state(self):
        widths = {s.field: self.sizes[s.size[0]] if s.size else 1 for s in self.program.slots}
        batch = self.xs.shape[1]
        return {f: torch.randn(batch, n, dtype=self.dtype) for f, n in widths.items()}

    def sequence(self):
        return Sequence(
            self.xs,
            self.sizes,
            self.state,
            first=self.first,
            mask=self.mask,
            reset=self.reset,
            noise=self.noise,
            reverse=self.reverse,
        )

    def run(self, engine=reference, *, trace=True):
        names = self.program.indices if trace else ()
        weights = Weights(self.layout, self.flat)
        return engine.run(self.plan, weights, self.sequence(), trace=names)

    def gradients(self, engine, *, trace=False):
        """Outputs and last states, then the gradients of a random sum of them by every input."""
        leaves = {"flat": self.flat, "xs": self.xs, **self.state}
        leaves |= {f"first {name}": value for name, value in self.first.items()}
        leaves = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
        self.flat, self.xs = leaves["flat"], leaves["xs"]
        self.state = {name: leaves[name] for name in self.state}
        self.first = {name: leaves[f"first {name}"] for name in self.first}
        ys, end, traces = self.run(engine, trace=trace)
        outputs = {"ys": ys, **{f"last {n}": v for n, v in end.items()}, **traces}
        generator = torch.Generator().manual_seed(7)
        total = sum(
            (value * torch.randn(value.shape, generator=generator, dtype=self.dtype)).sum()
            for _, value in sorted(outputs.items())
        )
        found = dict(outputs)
        if total.requires_grad:
            gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
                found[f"d {name}"] = torch.zeros_like(leaf) if gradient is None else gradient
        return {name: value.detach() for name, value in found.items()}

    def expected(self, b):
        """The naive run of one sequence, padding left out, restarted at every reset."""
        weights = {name: w.numpy() for name, w in self.layout.views(self.flat).items()}
        state = {name: value[b].numpy() for name, value in self.state.items()}
        outputs, traces = {}, {}
        for t in sorted(range(len(self.xs)), reverse=self.reverse):
            if self.reset is not None and self.reset[t, b]:
                state = {name: value[b].numpy() for name, value in self.first.items()}
            if self.mask is None or self.mask[t, b]:
                x, noise = self.xs[t : t + 1, b].numpy(), self.noise_of(t, b)
                (outputs[t],), state, traces[t] = naive.run(self.program, weights, x, state, noise)
        return outputs, state, traces

    def noise_of(self, t, b):
        place = {"step": (slice(t, t + 1), b), "sequence": b, "weight": ...}
        return {n.name: self.noise[n.name][place[n.per]].numpy() for n in self.program.noises}

    def check(self):
        ys, state, traces = self.run()
        for b in range(self.xs.shape[1]):
            outputs, end, named = self.expected(b)
            for t in range(len(self.xs)):
                expected = outputs.get(t, np.zeros(ys.shape[-1]))
                assert_close(ys[t, b], torch.as_tensor(expected), "float64")
                for name, values in traces.items():
                    value = named[t][name][0] if t in named else np.zeros(values.shape[-1])
                    assert_close(values[t, b], torch.as_tensor(value).view(-1), "float64")
            for field, value in end.items():
                assert_close(state[field][b], torch.as_tensor(value), "float64")
        matrices = {a.name for a in self.program.assignments if self.rank(a) == 2}
        assert set(traces) == set(self.program.indices) - matrices

    def rank(self, line):
        return len(self.program.operations[line.index].shape)


def small(case):
    """Weights that keep the values of a case in the range where cells work."""
    case.flat = case.flat * (0.5 / case.sizes["H"] ** 0.5)
    return case


def assert_same(case, engine, kind="float64", *, trace=False):
    """An engine and the reference agree on everything that comes out."""
    expected = case.gradients(reference, trace=trace)
    actual = case.gradients(engine, trace=trace)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, value.abs().max().item() if value.numel() else 1.0)
        assert_close(actual[name] / scale, value / scale, kind)
