"""Decoders that look back at a source: attention put into any cell's equations.

What comes out is a Program like any other; its lines ``energy``, ``alignment`` and ``context``
can be traced by these names.
"""

from __future__ import annotations

from penstock.cells.base import Cell, as_program
from penstock.equations.compose import Composer
from penstock.equations.program import SOURCE, Operation, Program, Shape
from penstock.errors import ConfigError, unknown

__all__ = ["ATTENTIONS", "FORMS", "decoder_program"]

ATTENTIONS = ("additive", "dot", "general", "location")
"""How well a source word fits: Bahdanau et al. 2014; Luong et al. 2015, equations 7 and 8."""
FORMS = ("before", "conditional", "after")
"""When a step looks: before its cell (Bahdanau), between two cells (Nematus), after it (Luong)."""
LONGEST = 100
"""Source words that ``location`` tells apart, by default."""


def decoder_program(
    cell: str | type[Cell] | Program,
    attention: str = "additive",
    *,
    form: str = "before",
    feeding: bool = False,
    coverage: bool = False,
    second: str | type[Cell] | Program | None = None,
    layers: int = 1,
) -> Program:
    """The Program of a decoder of any cell.

    - ``before``: the query is the output one step ago, and every ``W @ x`` becomes
      ``W @ x + C @ context`` (Bahdanau, Cho & Bengio 2014, appendix A.2).
    - ``conditional``: a first cell reads x, its output is the query, and a second cell goes on
      from its states and reads the context (Sennrich et al. 2017, section 2).
    - ``after``: the output h is the query, and ``attended = tanh(A_c @ context + A_h @ h)`` is
      what the decoder gives out (Luong, Pham & Manning 2015, equation 5).

    Args:
        cell: a name, equations, a Cell or a Program.
        attention: one of :data:`ATTENTIONS`.
        form: one of :data:`FORMS`.
        feeding: with ``after``, whether the next step reads what was attended
            (Luong et al. 2015, section 3.3).
        coverage: with ``additive``, whether the energies read how much attention each source
            word has had (Tu et al. 2016, equation 7).
        second: with ``conditional``, the cell that reads the context; by default the first.
        layers: cells of the kind on top of each other, in one step. The context enters the first.

    Raises:
        ConfigError: the options do not go together, or the cell multiplies no matrix by x.

    Example:
        >>> from penstock.equations import render
        >>> print(render.text(decoder_program("h = tanh(W @ x + U @ h[t-1])")))
        M: size = 1.0
        energy: S
        alignment: S
        context: M
        U_a: (H, M)
        C: (H, M)
        energy = v_a @ tanh(W_a @ h[t-1] + U_a @ memory)    # fit of each source word
        alignment = softmax(energy)                         # share of each source word
        context = memory @ alignment                        # what is read of it
        h = tanh(W @ x + C @ context + U @ h[t-1])
    """
    program, later = as_program(cell), as_program(cell if second is None else second)
    _check(attention, form, feeding, coverage, layers)
    build = _Decoder(attention, coverage, program, layers)
    match form:
        case "before":
            output = build.before(program, layers)
        case "conditional":
            output = build.conditional(program, later, layers)
        case _:
            output = build.after(program, layers, feeding)
    return build.compose.finish(f"{program.name} {form} {attention}", output)


class _Decoder:
    """One decoder in the making."""

    def __init__(self, attention: str, coverage: bool, program: Program, layers: int) -> None:
        self.attention, self.coverage = attention, coverage
        suffixes = ["", "_x", *(f"_{layer}" for layer in range(1, layers + 1))]
        self.compose = Composer({name + end for name in program.names for end in suffixes})
        # A dot product needs annotations as wide as the query, so the output's size is M.
        (width,) = program.output_shape
        self.sizes = {width: "M"} if attention == "dot" else {}
        self.compose.size("M", dict(program.sizes).get(width, 1.0) if self.sizes else 1.0)

    def before(self, program: Program, layers: int) -> str:
        """The context enters the cell that reads x."""
        top = _suffixed(program.output, layers, layers)
        query = self.compose.state(top, self._output_shape(program))
        return self.stack(program, layers, self.attend(query))

    def conditional(self, first: Program, second: Program, layers: int) -> str:
        """Two cells, the context between them; the second's states are the decoder's."""
        _check_states(first, second)
        suffix = "" if layers == 1 else "_1"
        shapes = {slot.name: self._sized(slot.size) for slot in second.slots}
        old = {name: self.compose.state(name + suffix, shapes[name]) for name in second.states}
        taken = self.compose.include(first, suffix="_x", states=old, sizes=self.sizes)
        new = {name: taken[f"{name}_x"] for name in second.states}
        self.attend(taken[f"{first.output}_x"])
        self.compose.include(second, suffix=suffix, x="context", states=new, sizes=self.sizes)
        return self._above(second, layers)

    def after(self, program: Program, layers: int, feeding: bool) -> str:
        """The context joins the output."""
        shape = self._output_shape(program)
        fed = self.compose.state("attended", shape) if feeding else None
        h = self.compose.place(self.stack(program, layers, fed, letter="F"))
        context = self.attend(h)
        of_context = self.compose.multiply("A_c", context, shape[0])
        of_output = self.compose.multiply("A_h", h, shape[0])
        both = self.compose.add("add", of_context, of_output, shape=shape)
        attended = self.compose.add("tanh", both, shape=shape)
        self.compose.line("attended", attended, "output and what is read of the source")
        return "attended"

    def attend(self, query: int) -> int:
        """Add the lines of attention; gives the position of the context."""
        add, line = self.compose.add, self.compose.line
        memory = add("memory", name="memory", shape=("M", SOURCE))
        energy = line("energy", self._energy(query, memory), "fit of each source word")
        share = add("softmax", energy, shape=(SOURCE,))
        line("alignment", share, "share of each source word")
        if self.coverage:
            earlier = self.compose.state("coverage", (SOURCE,))
            total = add("add", earlier, share, shape=(SOURCE,))
            line("coverage", total, "attention each source word has had")
        return line("context", add("matmul", memory, share, shape=("M",)), "what is read of it")

    def stack(self, program: Program, layers: int, beside: int | None, letter: str = "C") -> str:
        """Cells on top of each other; ``beside`` enters the first with x. Gives the top's name."""

        entered = []

        def spread(operation: Operation, product: int) -> int:
            if beside is None:
                return product
            entered.append(product)
            matrix = self.compose.operations[self.compose.operations[product].args[0]].name
            name = letter + (matrix[1:] if matrix[:1].isupper() else "")
            (rows,) = self.compose.shape(product)
            other = self.compose.multiply(name, beside, rows)
            return self.compose.add("add", product, other, shape=(rows,))

        suffix = "" if layers == 1 else "_1"
        self.compose.include(program, suffix=suffix, sizes=self.sizes, spread=spread)
        if beside is not None and not entered:
            raise ConfigError(
                f"decoder_program: expected a cell with a product W @ x for what it is to read "
                f"beside x, got {program.name}. Use form='conditional', or 'after' without feeding."
            )
        return self._above(program, layers)

    def _above(self, program: Program, layers: int) -> str:
        """The layers above the first; gives the top's name."""
        for layer in range(2, layers + 1):
            below = _suffixed(program.output, layer - 1, layers)
            self.compose.include(program, suffix=f"_{layer}", x=below, sizes=self.sizes)
        return _suffixed(program.output, layers, layers)

    def _energy(self, query: int, memory: int) -> int:
        """How well each source word fits the query."""
        compose, source = self.compose, (SOURCE,)
        match self.attention:
            case "dot":
                return compose.add("matmul", query, memory, shape=source)
            case "general":
                mapped = compose.multiply("W_a", query, "M")
                return compose.add("matmul", mapped, memory, shape=source)
            case "location":
                compose.size("L", LONGEST)
                places = compose.multiply("W_a", query, "L")
                return compose.add("positions", places, shape=source)
        rows = (self.sizes.get("H", "H"), SOURCE)
        vector = compose.weight("v_a", rows[:1])
        mapped = compose.multiply("W_a", query, rows[0])
        keys = compose.add("matmul", compose.weight("U_a", (rows[0], "M")), memory, shape=rows)
        total = compose.add("add", mapped, keys, shape=rows)
        if self.coverage:
            earlier = compose.state("coverage", source)
            spread = compose.add("outer", compose.weight("w_a", rows[:1]), earlier, shape=rows)
            total = compose.add("add", total, spread, shape=rows)
        squashed = compose.add("tanh", total, shape=rows)
        return compose.add("matmul", vector, squashed, shape=source)

    def _sized(self, shape: Shape) -> Shape:
        return tuple(self.sizes.get(size, size) for size in shape)

    def _output_shape(self, program: Program) -> Shape:
        return self._sized(program.output_shape)


def _suffixed(name: str, layer: int, layers: int) -> str:
    return name if layers == 1 else f"{name}_{layer}"


def _check(attention: str, form: str, feeding: bool, coverage: bool, layers: int) -> None:
    if attention not in ATTENTIONS:
        raise unknown("decoder", "attention", attention, ATTENTIONS)
    if form not in FORMS:
        raise unknown("decoder", "form", form, FORMS)
    if feeding and form != "after":
        raise ConfigError(f"decoder: expected form='after' with feeding, got form={form!r}.")
    if coverage and attention != "additive":
        raise ConfigError(
            f"decoder: expected attention='additive' with coverage, got attention={attention!r}."
        )
    if layers < 1:
        raise ConfigError(f"decoder: expected layers >= 1, got layers={layers}.")


def _check_states(first: Program, second: Program) -> None:
    """A second cell can go on from the states of the first, if both look one step back."""
    slots = [[slot for slot in cell.slots if slot.name != "x"] for cell in (first, second)]
    if sorted(map(str, slots[0])) != sorted(map(str, slots[1])):
        raise ConfigError(
            f"decoder: expected two cells with the same states, got {first.name} with "
            f"{', '.join(first.states)} and {second.name} with {', '.join(second.states)}."
        )
    if any(slot.delay > 1 for slot in slots[0]):
        raise ConfigError(
            f"decoder: expected cells that look one step back in form 'conditional', got "
            f"{first.name}. Use form='before' or 'after'."
        )
