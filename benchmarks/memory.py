"""Peak memory of a training step beside PyTorch's: ``python -m benchmarks memory``.

A step is forward and all gradients of one layer, input as wide as the layer, float32.  Counted is
what the process grows by during a step, over what it holds between steps (weights, their
gradients, the input, whatever is cached).  Every side runs in a process of its own, whose allocator
gives each block back to the system at once, so that resident memory is memory in use.  Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.layers import SIZES, inputs, training
from penstock.layers.recurrent import Recurrent

SIDES: dict[str, Callable[[str, int], nn.Module]] = {
    "torch": lambda cell, size: PEERS[cell](size, size),
    "ours": lambda cell, size: Recurrent(cell, size, size, engine="native"),
    "recomputing": lambda cell, size: Recurrent(cell, size, size, recompute=True, engine="native"),
}
PEERS = {"lstm": nn.LSTM, "gru-pytorch": nn.GRU, "elman": nn.RNN}
LONG = (20, 400, 200)
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "8192", "MALLOC_TOP_PAD_": "0"}
"""Options of glibc's allocator: larger blocks come from the system and return to it."""


def peak(step: Callable[[], None]) -> float:
    """MB by which a step grows the process; steps before it warm up."""
    for _ in range(3):
        step()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _resident("VmRSS")
    step()
    return (_resident("VmHWM") - before) / 1e6


def _resident(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def measured(side: str, cell: str, size: tuple[int, int, int]) -> float:
    """The peak of a side, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "memory",
        "--side",
        side,
        "--cell",
        cell,
        "--size",
    ]
    command += map(str, size)
    environment = os.environ | GIVE_BACK
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure, print, and save what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", choices=SIDES, help="measure only this, here")
    parser.add_argument("--cell", choices=PEERS, help="only this one")
    parser.add_argument("--size", nargs=3, type=int, metavar=("B", "T", "H"), help="only this one")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.side:
        batch, steps, size = options.size
        torch.set_num_threads(1)
        layer = SIDES[options.side](options.cell, size)
        print(peak(training(layer, inputs(batch, steps, size))))
        return
    made: list[dict[str, Any]] = []
    for cell in [options.cell] if options.cell else PEERS:
        for size in [tuple(options.size)] if options.size else [*SIZES, LONG]:
            found = {side: measured(side, cell, size) for side in SIDES}
            page = 0.004  # MB: what is less is not seen
            shares = {side: found[side] / max(found["torch"], page) for side in SIDES}
            made.append({"cell": cell, "size": size, "mb": found, "shares": shares})
            text = "   ".join(f"{s} {mb:7.1f} MB ({shares[s]:4.2f})" for s, mb in found.items())
            print(f"{cell:12} {size!s:15} {text}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(made, indent=1))
