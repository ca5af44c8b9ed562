"""Less memory in training: states are kept at the borders of segments, the rest is run again.

A sequence of T steps is cut into segments of about sqrt(T) steps; on the way back each segment
runs forward once more, so that what its gradient needs lives for one segment at a time
(Chen et al. 2016, "Training deep nets with sublinear memory cost", section 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from penstock.engines.stages import Sequence

__all__ = ["run_in_segments"]

Result = tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]


def run_in_segments(run: Callable[[Sequence], Result], sequence: Sequence) -> Result:
    """What ``run`` gives for a sequence; its values are computed again on the way back.

    Args:
        run: takes a sequence to outputs (T, B, size), last state, and traces (T, B, size).
        sequence: what to run over.
    """
    state, outputs, traces = sequence.state, [], []
    for segment in _segments(sequence):
        ys, state, named = checkpoint(
            run, replace(segment, state=state), use_reentrant=False, preserve_rng_state=False
        )
        outputs.append(ys)
        traces.append(named)
    if sequence.reverse:
        outputs, traces = outputs[::-1], traces[::-1]
    return (
        torch.cat(outputs),
        state,
        {name: torch.cat([named[name] for named in traces]) for name in traces[0]},
    )


def _segments(sequence: Sequence) -> Iterator[Sequence]:
    """The sequence in pieces, in the order in which they are taken."""
    steps = sequence.xs.shape[0]
    count = max(1, round(math.sqrt(steps)))
    borders = [steps * number // count for number in range(count + 1)]
    spans = [slice(*border) for border in pairwise(borders)]
    of_steps = {name for name, mask in sequence.noise.items() if mask.ndim == 3}  # (T, B, size)
    for span in reversed(spans) if sequence.reverse else spans:
        yield replace(
            sequence,
            xs=sequence.xs[span],
            mask=None if sequence.mask is None else sequence.mask[span],
            reset=None if sequence.reset is None else sequence.reset[span],
            noise={
                name: mask[span] if name in of_steps else mask
                for name, mask in sequence.noise.items()
            },
        )
