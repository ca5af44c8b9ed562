"""A program with random functions as an engine runs it: with masks, or without chance."""

from __future__ import annotations

from penstock.equations.program import Operation, Program
from penstock.equations.rewrite import Rewriter, canonical, is_random

__all__ = ["evaluation", "training"]

_PER = {"dropout": "sequence", "weight_drop": "weight"}


def training(program: Program) -> Program:
    """The program an engine trains: random functions read masks it is given.

    A mask holds 1 (keep) with probability 1 - p and 0 otherwise; what is kept is scaled
    by 1 / (1 - p), so that evaluation needs no scaling.
    """
    rewriter = Rewriter(program)

    def rewrite(_: int, operation: Operation) -> int:
        if not is_random(operation):
            return rewriter.add(operation)
        shape, rate = operation.shape, operation.value
        per, name = _PER.get(operation.op, "step"), f"noise_{len(rewriter.operations)}"
        mask = rewriter.add(Operation("noise", name=name, value=rate, per=per, shape=shape))
        if operation.op == "zoneout":
            return _mix(rewriter, operation, mask)
        scale = rewriter.add(Operation("constant", value=1 / (1 - rate)))
        scaled = rewriter.add(Operation("mul", (mask, scale), shape=shape))
        return rewriter.add(Operation("mul", (operation.args[0], scaled), shape=shape))

    return canonical(rewriter.run(rewrite))


def evaluation(program: Program) -> Program:
    """The program without chance: every random function replaced by its expectation."""
    rewriter = Rewriter(program)

    def rewrite(_: int, operation: Operation) -> int:
        if not is_random(operation):
            return rewriter.add(operation)
        if operation.op != "zoneout":
            return operation.args[0]
        keep = rewriter.add(Operation("constant", value=1 - operation.value))
        return _mix(rewriter, operation, keep)

    return canonical(rewriter.run(rewrite))


def _mix(rewriter: Rewriter, operation: Operation, share: int) -> int:
    """``old + share * (new - old)``."""
    (new, old), shape = operation.args, operation.shape
    change = rewriter.add(Operation("sub", (new, old), shape=shape))
    part = rewriter.add(Operation("mul", (share, change), shape=shape))
    return rewriter.add(Operation("add", (old, part), shape=shape))
