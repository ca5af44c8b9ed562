"""Random cells: valid equations with every construct of the language.

States are squashed, and functions with poles are kept away from them, so that values and
gradients stay finite however long the sequence is.
"""

from __future__ import annotations

from hypothesis import strategies as st

from penstock.equations import parse

__all__ = ["equations", "programs"]

UNARY = [
    "-{}",
    "sigmoid({})",
    "tanh({})",
    "relu({})",
    "sin({})",
    "cos({})",
    "abs({})",
    "square({})",
    "softplus({})",
    "softsign({})",
    "hard_sigmoid({})",
    "hard_tanh({})",
    "leaky_relu({})",
    "elu({})",
    "silu({})",
    "gelu({})",
    "exp(tanh({}))",
    "log(1.5 + square({}))",
    "sqrt(0.5 + square({}))",
]
BINARY = [
    "({} + {})",
    "{} + {}",
    "({} - {})",
    "({}) * ({})",
    "({}) / (2 + square({}))",
    "maximum({}, {})",
    "minimum({}, {})",
]
NUMBERS = ["0.5", "2", "1", "0.125", "3e-2"]
SQUASHING = ["tanh({})", "sigmoid({})", "softsign({})", "0.5 * tanh({})"]


class _Writer:
    """Draws expressions of a wanted shape."""

    def __init__(self, draw, *, random: bool) -> None:
        self.draw, self.random = draw, random
        self.weights: dict[str, tuple[str, ...]] = {}
        self.assigned: dict[str, tuple[str, ...]] = {}
        self.states: dict[str, tuple[str, ...]] = {}

    def pick(self, options):
        return self.draw(st.sampled_from(options))

    def weight(self, shape: tuple[str, ...]) -> str:
        known = [name for name, other in self.weights.items() if other == shape]
        if known and self.draw(st.booleans()):
            return self.pick(known)
        name = f"{'bbW'[len(shape)]}_{len(self.weights)}"
        self.weights[name] = shape
        return name

    def value(self, shape: tuple[str, ...], depth: int) -> str:
        """A vector or a scalar."""
        if depth == 0 or self.draw(st.integers(0, 5)) == 0:
            return self.pick(self.leaves(shape))()
        return self.pick(self.branches(shape, depth - 1))()

    def leaves(self, shape):
        leaves = []
        for name, other in self.assigned.items():
            if other == shape:
                leaves.append(lambda name=name: name)
        for name, other in self.states.items():
            if other == shape:
                leaves.append(lambda name=name: f"{name}[t-{self.pick([1, 1, 1, 2, 3])}]")
        if shape == ("D",):
            leaves += [lambda: "x", lambda: f"x[t-{self.pick([1, 2])}]"]
        if not shape:
            leaves.append(lambda: self.pick(NUMBERS))
        return [*leaves, *leaves, lambda: self.weight(shape)]

    def branches(self, shape, depth):
        def unary():
            return self.pick(UNARY).format(self.value(shape, depth))

        def binary():
            other = self.pick([shape, shape, ()])
            sides = [self.value(shape, depth), self.value(other, depth)]
            return self.pick(BINARY).format(*self.draw(st.permutations(sides)))

        def product():
            inner = self.pick(["H", "D", "P"])
            matrix = self.matrix(shape[0], inner, depth)
            return f"{matrix} @ ({self.value((inner,), depth)})"

        def row():
            return f"{self.pick(['layernorm', 'softmax'])}({self.value(shape, depth)})"

        def reduction():
            return f"{self.pick(['mean', 'sum'])}({self.value((self.pick('HPD'),), depth)})"

        def random():
            name = self.pick(["dropout", "step_dropout"])
            return f"{name}({self.value(shape, depth)}, {self.pick(['0.25', '0.5'])})"

        branches = [unary, binary, *([product, product, row] if shape else [reduction])]
        return [*branches, random] if self.random else branches

    def matrix(self, rows: str, columns: str, depth: int) -> str:
        if depth <= 0 or self.draw(st.integers(0, 2)):
            return self.weight((rows, columns))
        return self.pick(self.matrix_forms(rows, columns, depth - 1))()

    def matrix_forms(self, rows: str, columns: str, depth: int):
        def same() -> str:
            return self.matrix(rows, columns, depth)

        forms = [
            lambda: f"({same()} + {same()})",
            lambda: f"({self.weight(())} * {same()})",
            lambda: f"tanh({same()})",
            lambda: f"({self.matrix(rows, 'P', depth)} @ {self.matrix('P', columns, 0)})",
            lambda: f"({self.matrix(columns, rows, depth)}).T",
        ]
        if rows == columns:
            forms.append(lambda: "({0} - {0}.T)".format(same()))
        if self.random:
            forms.append(lambda: f"weight_drop({same()}, 0.5)")
        return forms

    def line(self, name: str, shape: tuple[str, ...], depth: int) -> str:
        body = self.value(shape, depth)
        if name in self.states:
            body = self.pick(SQUASHING).format(body)
            old = f"{name}[t-1]"
            if self.draw(st.booleans()):
                gate = f"sigmoid({self.value(self.pick([shape, ()]), 1)})"
                body = f"{gate} * {old} + (1 - {gate}) * {body}"
            elif self.random and self.draw(st.booleans()):
                body = f"zoneout({body}, {old}, 0.25)"
        self.assigned[name] = shape
        return f"{name} = {body}"


@st.composite
def equations(draw, *, random: bool = False) -> str:
    """Text of a cell with input D, hidden H, and an extra size P.

    Args:
        random: whether regularisers with a mask may occur.
    """
    writer = _Writer(draw, random=random)
    names = [*(f"a_{n}" for n in range(draw(st.integers(0, 3)))), "h"]
    shapes = {name: draw(st.sampled_from([("H",), ("H",), ("P",), ("D",), ()])) for name in names}
    shapes["h"] = draw(st.sampled_from([("H",), ("H",), ("P",)]))
    writer.states = {name: shapes[name] for name in names if draw(st.integers(0, 3))}
    lines = []
    if draw(st.booleans()):
        lines.append(f"A = {writer.matrix('H', 'H', 2)}")
    for name in names:
        lines.append(writer.line(name, shapes[name], draw(st.integers(1, 3))))
    declared = shapes | writer.weights
    return "\n".join([*_declarations(declared), *lines])


def _declarations(shapes: dict[str, tuple[str, ...]]) -> list[str]:
    words = {(): "scalar", ("H",): "H", ("P",): "P", ("D",): "D"}
    return [
        f"{name}: {words.get(shape) or '({}, {})'.format(*shape)}" for name, shape in shapes.items()
    ]


def programs(*, random: bool = False):
    """Programs of random cells."""
    return equations(random=random).map(lambda text: parse(text, "random"))
