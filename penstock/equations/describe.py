"""What runs when, in words: the plan of a program for people."""

from __future__ import annotations

from penstock.equations.plan import STAGES, Plan, Product

__all__ = ["describe"]

_TITLES = {
    "once": "once, from the weights alone",
    "before": "before the loop, for all steps at once",
    "loop": "in every step",
    "after": "after the loop, for all steps at once",
}
_LEAVES = ("weight", "constant", "input", "state", "memory")


def describe(plan: Plan) -> str:
    """A few lines that say which products run together and what is left for each step.

    Example:
        >>> from penstock.equations import parse
        >>> from penstock.equations.plan import plan
        >>> print(describe(plan(parse("h = tanh(W @ x + U @ h[t-1] + b)"))))
        before the loop, for all steps at once: 1 product [W] @ x (H x D); 1 element-wise
        in every step: 1 product [U] @ h[t-1] (H x H); 2 element-wise
    """
    lines = []
    for stage in STAGES:
        items = plan.schedule[stage]
        products = [_product(plan, item) for item in items if isinstance(item, Product)]
        others = [
            plan.program.operations[item].op for item in items if not isinstance(item, Product)
        ]
        count = sum(op not in _LEAVES for op in others)
        if not products and not count:
            continue
        parts = [f"{len(products)} product{'s' * (len(products) > 1)} {', '.join(products)}"]
        parts = parts if products else []
        parts += [f"{count} element-wise"] if count else []
        lines.append(f"{_TITLES[stage]}: {'; '.join(parts)}")
    return "\n".join(lines)


def _product(plan: Plan, product: Product) -> str:
    operations = plan.program.operations
    names = [operations[matrix].name or "..." for matrix in product.matrices]
    operand = operations[product.operand]
    known = {index: name for name, index in plan.program.indices.items()}
    name = operand.name + (f"[t-{operand.delay}]" if operand.delay else "")
    rows = [operations[matrix].shape for matrix in product.matrices]
    height = " + ".join(dict.fromkeys(shape[0] for shape in rows))
    if len(rows) > 1:
        height = f"{len(rows)}{height}" if "+" not in height else f"({height})"
    right = name or known.get(product.operand, "(...)")
    return f"[{' '.join(names)}] @ {right} ({height} x {rows[0][1]})"
