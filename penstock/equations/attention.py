"""Attention inside the time loop, found in a program's plan: what a compiled engine takes as one.

    e = v @ tanh(q + K)    or    e = q @ K
    a = softmax(e)
    c = M @ a

q is a row of this step; K and M have a column for each source word and are known before the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.equations.plan import Plan
from penstock.equations.program import SOURCE, Program

__all__ = ["Attention", "find_attention", "refusal"]


@dataclass(frozen=True)
class Attention:
    """Positions of its operations.

    Attributes:
        query: q, a vector.
        keys: K.
        values: M.
        vector: v, or None where a dot product tells how well a word fits.
        alignment: a.
        context: c.
    """

    query: int
    keys: int
    values: int
    vector: int | None
    alignment: int
    context: int


def find_attention(plan: Plan) -> Attention | None:
    """The attention inside a plan's loop; None where there is none, or :func:`refusal` speaks."""
    found = _inside(plan)
    return found if isinstance(found, Attention) else None


def refusal(plan: Plan) -> str:
    """Why what the loop does over source words is no attention that can be taken as one."""
    found = _inside(plan)
    return found if isinstance(found, str) else ""


def _inside(plan: Plan) -> Attention | str | None:
    if "attention" not in plan.notes:
        plan.notes["attention"] = _search(plan)
    found: Attention | str | None = plan.notes["attention"]
    return found


def _search(plan: Plan) -> Attention | str | None:
    program = plan.program
    for slot in program.slots:
        if slot.size == (SOURCE,):
            return f"its state {slot.name} has an entry for each source word"
    over_words = {
        index
        for index, operation in enumerate(program.operations)
        if plan.stages[index] == "loop" and SOURCE in operation.shape
    }
    contexts = [
        index
        for index, operation in enumerate(program.operations)
        if plan.stages[index] == "loop"
        and operation.op == "matmul"
        and operation.shape != (SOURCE,)
        and operation.args[1] in over_words
    ]
    if not over_words:
        return None
    if len(contexts) != 1:
        return f"it looks at the source {len(contexts)} times a step"
    match = _match(plan, contexts[0])
    if match is None:
        return "how it looks at the source is neither additive nor a dot product"
    attention, parts = match
    if over_words != parts or _read_elsewhere(program, attention, parts):
        return "what it computes over source words is more than an attention"
    return attention


def _match(plan: Plan, context: int) -> tuple[Attention, set[int]] | None:
    """The attention that ends in a context, and its operations that go over source words."""
    operations = plan.program.operations
    values, alignment = operations[context].args
    if operations[alignment].op != "softmax" or values not in plan.per_sequence:
        return None
    (energy,) = operations[alignment].args
    if operations[energy].op != "matmul":
        return None
    left, right = operations[energy].args
    if right in plan.per_sequence:
        found = Attention(left, right, values, None, alignment, context)
        return found, {energy, alignment}
    if operations[right].op != "tanh" or plan.stages[left] != "once" or left in plan.per_sequence:
        return None
    (total,) = operations[right].args
    if operations[total].op != "add":
        return None
    keys, query = sorted(operations[total].args, key=lambda arg: arg not in plan.per_sequence)
    if keys not in plan.per_sequence or len(operations[query].shape) != 1:
        return None
    found = Attention(query, keys, values, left, alignment, context)
    return found, {energy, alignment, right, total}


def _read_elsewhere(program: Program, attention: Attention, parts: set[int]) -> bool:
    """Whether an operation outside reads a part; the alignment may be read after the loop."""
    return any(
        arg in parts - {attention.alignment}
        for index, operation in enumerate(program.operations)
        if index not in parts and index != attention.context
        for arg in operation.args
    )
