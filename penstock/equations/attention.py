"""Attention found in a program's plan: what a compiled engine takes as one inside its loop.

    e = v @ tanh(q + K)    or    e = q @ K
    a = softmax(e)
    c = M @ a

q is a row of this step; K and M have a column for each source word and are known before the loop.
Several values may be read with one alignment, as a step of search does: ``C @ c`` is
``(C @ M) @ a``, and ``C @ M`` is known before all steps (:func:`folded`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from penstock.equations.plan import Plan
from penstock.equations.program import SOURCE, Operation, Program
from penstock.equations.rewrite import Rewriter, canonical

__all__ = ["Attention", "find_attention", "folded", "refusal"]


@dataclass(frozen=True)
class Attention:
    """Positions of its operations.

    Attributes:
        query: q, a vector.
        keys: K.
        values: every M.
        vector: v, or None where a dot product tells how well a word fits.
        alignment: a.
        contexts: every c.
    """

    query: int
    keys: int
    values: tuple[int, ...]
    vector: int | None
    alignment: int
    contexts: tuple[int, ...]


def find_attention(plan: Plan, *, whole: bool = False) -> Attention | None:
    """The attention inside a plan's loop; None where there is none, or :func:`refusal` speaks.

    Args:
        whole: whether everything is in the loop but what is known before all steps, as in a step
            of search; there is no gradient then.
    """
    found = _inside(plan, whole)
    return found if isinstance(found, Attention) else None


def refusal(plan: Plan, *, whole: bool = False) -> str:
    """Why what the loop does over source words is no attention that can be taken as one.

    Args:
        whole: see :func:`find_attention`; a gradient is made for one value that is read.
    """
    found = _inside(plan, whole)
    if isinstance(found, Attention) and not whole and len(found.contexts) > 1:
        return f"it reads {len(found.contexts)} values of the source a step"
    return found if isinstance(found, str) else ""


def folded(program: Program) -> Program:
    """The same program with its products of a context, ``C @ (M @ a)``, as ``(C @ M) @ a``."""
    rewriter = Rewriter(program)

    def rewrite(index: int, operation: Operation) -> int:
        if program.is_product(index):
            old = program.operations[index].args
            context = program.operations[old[1]]
            if context.op == "matmul" and program.operations[context.args[1]].shape == (SOURCE,):
                matrix, (values, share) = old[0], context.args
                mapped = Operation(
                    "matmul",
                    (rewriter.moved[matrix], rewriter.moved[values]),
                    shape=(*operation.shape, SOURCE),
                )
                args = rewriter.add(mapped), rewriter.moved[share]
                return rewriter.add(Operation("matmul", args, shape=operation.shape))
        return rewriter.add(operation)

    return canonical(rewriter.run(rewrite))


def _inside(plan: Plan, whole: bool) -> Attention | str | None:
    key = "attention", whole
    if key not in plan.notes:
        plan.notes[key] = _search(plan, {"before", "loop", "after"} if whole else {"loop"})
    found: Attention | str | None = plan.notes[key]
    return found


def _search(plan: Plan, stages: Collection[str]) -> Attention | str | None:
    """The attention among the operations of some stages."""
    program = plan.program
    for slot in program.slots:
        if slot.size == (SOURCE,):
            return f"its state {slot.name} has an entry for each source word"
    over_words = {
        index
        for index, operation in enumerate(program.operations)
        if plan.stages[index] in stages and SOURCE in operation.shape
    }
    contexts = [
        index
        for index, operation in enumerate(program.operations)
        if operation.op == "matmul"
        and operation.shape != (SOURCE,)
        and operation.args[1] in over_words
    ]
    if not over_words:
        return None
    match = _match(plan, contexts)
    if match is None:
        return "how it looks at the source is neither additive nor a dot product"
    attention, parts = match
    if over_words != parts or _read_elsewhere(program, attention, parts):
        return "what it computes over source words is more than an attention"
    return attention


def _match(plan: Plan, contexts: list[int]) -> tuple[Attention, set[int]] | None:
    """The attention that ends in contexts, and its operations that go over source words."""
    operations = plan.program.operations
    values = tuple(operations[context].args[0] for context in contexts)
    alignments = {operations[context].args[1] for context in contexts}
    if len(alignments) != 1 or not plan.per_sequence.issuperset(values):
        return None
    (alignment,) = alignments
    if operations[alignment].op != "softmax":
        return None
    (energy,) = operations[alignment].args
    if operations[energy].op != "matmul":
        return None
    left, right = operations[energy].args
    if right in plan.per_sequence:
        found = Attention(left, right, values, None, alignment, tuple(contexts))
        return found, {energy, alignment}
    if operations[right].op != "tanh" or plan.stages[left] != "once" or left in plan.per_sequence:
        return None
    (total,) = operations[right].args
    if operations[total].op != "add":
        return None
    keys, query = sorted(operations[total].args, key=lambda arg: arg not in plan.per_sequence)
    if keys not in plan.per_sequence or len(operations[query].shape) != 1:
        return None
    found = Attention(query, keys, values, left, alignment, tuple(contexts))
    return found, {energy, alignment, right, total}


def _read_elsewhere(program: Program, attention: Attention, parts: set[int]) -> bool:
    """Whether an operation outside reads a part; the alignment may be read after the loop."""
    return any(
        arg in parts - {attention.alignment}
        for index, operation in enumerate(program.operations)
        if index not in parts and index not in attention.contexts
        for arg in operation.args
    )
