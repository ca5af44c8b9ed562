"""From a loop to the program of the native machine: phases, tiles, instructions, slots.

A step is a series of phases; between two of them all threads meet, because a product or a
reduction reads whole rows.  Within a phase each tile of units runs one list of instructions
on slots, each of which holds one value of the tile's rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass
from itertools import accumulate
from typing import Any

from penstock.engines.instructions import (
    CODES,
    LOOKS,
    ROW_BY_ROW,
    TILE,
    Coded,
    Instruction,
    look,
)
from penstock.equations.loop import LEAVES, Block, Loop, Node

__all__ = ["Assembly", "Panel", "assemble"]


@dataclass(frozen=True)
class Panel:
    """Matrices to be packed together: results that share an operand.

    Attributes:
        source: which matrix of the loop.
        blocks: which of the matrices stacked there; all of them if transposed.
        width: of each result.
        stretches: for each operand whether it is a state, its number, and its length.
    """

    source: int
    blocks: Block
    width: int
    stretches: tuple[tuple[bool, int, int], ...]


@dataclass(frozen=True)
class Assembly:
    """A loop for the machine.

    Attributes:
        panels: of its products.
        arguments: of the machine's constructor, after the instruction set.
        apart: whether no unit reads another, so that threads never wait for each other.
        phases: of a step.
    """

    panels: tuple[Panel, ...]
    arguments: tuple[Any, ...]
    apart: bool
    phases: int


def assemble(loop: Loop) -> Assembly:
    """Translate a loop for the machine."""
    return _Assembler(loop).run()


class _Assembler:
    """One translation."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.nodes = loop, loop.nodes
        self.levels = self._levels()
        self.stored = self._stored()
        self.phases = self._phases()
        self.temps: dict[int, int] = {}
        self.numbers: dict[int, int] = {}
        self.panels: list[Panel] = []
        self.groups: dict[tuple[int, int], _Group] = {}
        for index in self._kept_in_rows():
            self.temps[index] = len(self.temps)
        for index, node in enumerate(self.nodes):
            if node.op in ("sum", "largest"):
                self.numbers[index] = len(self.numbers)

    def run(self) -> Assembly:
        for index, node in enumerate(self.nodes):
            looks = self._looks(index)
            if self.stored.get(index) if looks else self._is_emitted(index):
                place = self.phases[index] + looks, node.width
                self.groups.setdefault(place, _Group(self, *place)).emit(index)
        phases: dict[int, list[tuple[int, list[Coded]]]] = defaultdict(list)
        for (phase, width), group in sorted(self.groups.items()):
            phases[phase].append((width, group.coded()))
        slots = max((group.slots for group in self.groups.values()), default=0)
        for index, node in enumerate(self.nodes):
            if node.op in LOOKS:
                phases[self.phases[index]].append((ROW_BY_ROW, [look(node)]))
        apart = not (self.panels or self.numbers or self.temps or self._spreads_a_state())
        arguments = (
            [state.width for state in self.loop.states],
            [self.nodes[index].width for index in self.temps],
            [self.nodes[index].width for index in self.loop.sums],
            len(self.numbers),
            slots,
            apart,
            [(panel.width, len(panel.blocks), list(panel.stretches)) for panel in self.panels],
            [phases[phase] for phase in sorted(phases)],
            self._gaze(),
        )
        return Assembly(tuple(self.panels), arguments, apart, len(phases))

    def _spreads_a_state(self) -> bool:
        """Whether units read a single number that another unit carries from token to token."""
        spread = (node.args[0] for node in self.nodes if node.op == "broadcast")
        return any(self.nodes[arg].op == "state" for arg in spread)

    def _gaze(self) -> list[int]:
        """Where the machine finds what looking at a source needs; empty if it does not look."""
        gaze = self.loop.gaze
        looking = [index for index, node in enumerate(self.nodes) if node.op in LOOKS]
        if gaze is None or not looking:
            return []
        (index,), node = looking, self.nodes[looking[0]]
        places = [node.block, node.first, node.source]
        if node.op == "attend":
            shares = self.nodes.index(Node("shares", 0, (index,)))
            places = [self.loop.outputs.index((shares,)), -1, -1]
        return [*astuple(gaze), self.temps[node.args[0]], self.temps[index], *places]

    def _levels(self) -> list[int]:
        """The first phase in which each value can be computed."""
        levels: list[int] = []
        for node in self.nodes:
            match node.op:
                case "attend" | "attend back":
                    waits = [levels[node.args[0]] + 1 + self._looks(node.args[0])]
                case "matmul":
                    waits = [
                        0 if self.nodes[arg].op == "state" else levels[arg] + 1 for arg in node.args
                    ]
                case "sum" | "largest":
                    waits = [levels[node.args[0]] + 1]
                case "broadcast" if self.nodes[node.args[0]].op == "matmul":
                    waits = [levels[node.args[0]] + 1]
                case _:
                    waits = [levels[arg] + self._looks(arg) for arg in node.args]
            levels.append(max(waits, default=0))
        return levels

    def _phases(self) -> list[int]:
        """When each value is computed: late, so that it need not wait in memory.

        Products come as early as they can, to run beside others of the same operand.
        """
        latest: dict[int, int] = {}
        phases = [0] * len(self.nodes)
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            limits = [latest[index]] if index in latest else []
            if index in self.stored or node.op == "matmul" or not limits:
                limits.append(self.levels[index])
            phases[index] = max(self.levels[index], min(limits))
            waits = node.op in ("matmul", "sum", "largest", *LOOKS) or (
                node.op == "broadcast" and self.nodes[node.args[0]].op == "matmul"
            )
            for arg in node.args:
                limit = phases[index] - max(waits, self._looks(arg))
                latest[arg] = min(latest.get(arg, limit), limit)
        return phases

    def _stored(self) -> dict[int, list[Instruction]]:
        """For each node the instructions that write its value."""
        stored: dict[int, list[Instruction]] = defaultdict(list)
        for number, state in enumerate(self.loop.states):
            stored[state.new].append(Instruction("store state", i=number))
        for number, output in enumerate(self.loop.outputs):
            columns = accumulate(self.loop.widths(output), initial=0)
            op = "store tiled" if number in self.loop.tiled_outputs else "store token"
            for index, column in zip(output, columns, strict=False):
                stored[index].append(Instruction(op, i=number, j=column))
        for number, index in enumerate(self.loop.sums):
            stored[index].append(Instruction("accumulate", i=number))
        for node in self.nodes:
            if node.op == "matmul":
                for arg in node.args:
                    if self.nodes[arg].op != "state":
                        stored.setdefault(arg, [])
            if node.op in ("sum", "largest", *LOOKS):
                stored.setdefault(node.args[0], [])
        for index, node in enumerate(self.nodes):
            if node.op == "shares":  # the machine writes them as it looks
                stored.pop(index, None)
        return stored

    def _looks(self, index: int) -> bool:
        """Whether a value is what is read of a source, there when the phase has ended."""
        return self.nodes[index].op in LOOKS

    def _kept_in_rows(self) -> list[int]:
        """Values that other tiles, or later phases, read."""
        kept: dict[int, None] = {}
        for index, node in enumerate(self.nodes):
            if self._looks(index):
                kept[index] = None
            for arg in node.args:
                other = self.nodes[arg]
                whole_row = (node.op == "matmul" and other.op != "state") or (
                    node.op == "broadcast" and other.op == "matmul"
                )
                whole_row |= node.op in LOOKS
                later = self.phases[arg] < self.phases[index] and not self._is_read_anew(other)
                if whole_row or (later and node.op not in ("sum", "largest", "matmul")):
                    kept[arg] = None
        return list(kept)

    def _is_emitted(self, index: int) -> bool:
        """Whether tiles compute a value in its phase."""
        return index in self.stored or not self._is_read_anew(self.nodes[index])

    def _is_read_anew(self, node: Node) -> bool:
        """Whether each phase that needs the value reads it from where it is."""
        return node.op in (*LEAVES, "sum", "largest", "broadcast", "shares", "part")

    def panel(self, panel: Panel) -> int:
        """The number of a panel."""
        if panel not in self.panels:
            self.panels.append(panel)
        return self.panels.index(panel)

    def operand(self, index: int) -> tuple[bool, int, int]:
        """Where the operand of a product is: whether it is a state, its number, its length."""
        node = self.nodes[index]
        if node.op == "state":
            return True, node.source, node.width
        return False, self.temps[index], node.width


class _Group:
    """The instructions of one phase for the tiles of one width."""

    def __init__(self, assembler: _Assembler, phase: int, width: int) -> None:
        self.assembler, self.phase, self.width = assembler, phase, width
        self.nodes, self.loop = assembler.nodes, assembler.loop
        self.code: list[Instruction] = []
        self.known: dict[int, int] = {}
        self.values = 0
        self.slots = 0

    def emit(self, index: int) -> None:
        """Compute a node and write it wherever it is wanted."""
        value = self.read(index)
        assembler = self.assembler
        for store in assembler.stored.get(index, []):
            self.code.append(Instruction(store.op, (), (value,), store.i, store.j))
        if index in assembler.temps and not assembler._looks(index):
            self.code.append(Instruction("store temp", (), (value,), assembler.temps[index]))
        for number, place in assembler.numbers.items():
            node = self.nodes[number]
            if node.args[0] == index:
                self.code.append(Instruction(f"store {node.op}", (), (value,), place))

    def read(self, index: int) -> int:
        """The value of a node in this phase."""
        if index not in self.known:
            node = self.nodes[index]
            if self.assembler._is_read_anew(node):
                self.known[index] = self._load(node, index)
            elif self.assembler.phases[index] < self.phase:
                temp = self.assembler.temps[index]
                self.known[index] = self._new(Instruction("temp", i=temp))
            elif node.op == "matmul":
                self._multiply(node)
            else:
                self.known[index] = self._new(self._compute(node))
        return self.known[index]

    def _load(self, node: Node, index: int) -> int:
        one = 0.0
        if node.op == "broadcast":
            index, one = node.args[0], 1.0
            node = self.nodes[index]
        match node.op:
            case "token":
                column = sum(self.loop.tokens[node.source][: node.block])
                op = "tiled" if node.source in self.loop.tiled_tokens else "token"
                load = Instruction(op, i=node.source, j=column, value=one)
            case "previous":
                load = Instruction("previous", i=node.source, k=node.first, value=one)
            case "sequence":
                width = self.loop.sequences[node.source]
                load = Instruction("sequence", i=node.source, j=width, value=one)
            case "vector" | "state":
                load = Instruction(node.op, i=node.source, value=one)
            case "constant":
                load = Instruction("constant", value=node.value)
            case "part":
                temp = self.assembler.temps[node.args[0]]
                load = Instruction("temp", i=temp, j=node.block, k=1)
            case "sum" | "largest":
                tiles = -(-self.nodes[node.args[0]].width // TILE)
                load = Instruction(node.op, i=self.assembler.numbers[index], j=tiles)
            case _:
                load = Instruction("temp", i=self.assembler.temps[index], value=one)
        return self._new(load)

    def _multiply(self, node: Node) -> None:
        """All products of one operand that belong to this phase and width."""
        matrix = self.loop.matrices[node.source]
        members = {
            other.block: index
            for index, other in enumerate(self.nodes)
            if (other.op, other.source, other.args, other.width)
            == ("matmul", node.source, node.args, node.width)
        }
        blocks = (0,) if matrix.transposed else tuple(sorted(members))
        stretches = tuple(self.assembler.operand(arg) for arg in node.args)
        panel = self.assembler.panel(Panel(node.source, blocks, node.width, stretches))
        results = tuple(range(self.values, self.values + len(blocks)))
        self.values += len(blocks)
        self.code.append(Instruction("matmul", results, i=panel))
        self.known.update(zip((members[b] for b in blocks), results, strict=True))

    def _compute(self, node: Node) -> Instruction:
        match node.op, node.args:
            case (("add" | "mul"), (a, b)):
                for x, other in ((a, b), (b, a)):
                    if self.nodes[other].op == "constant":
                        number = self.nodes[other].value
                        return Instruction(f"{node.op} number", (), (self.read(x),), value=number)
                for x, other in ((a, b), (b, a)):
                    if (vector := self._vector(other)) is not None:
                        source, one = vector
                        return Instruction(
                            f"{node.op} vector", (), (self.read(x),), i=source, value=one
                        )
            case "sub", (a, b) if self.nodes[b].op == "constant":
                return Instruction("add number", (), (self.read(a),), value=-self.nodes[b].value)
            case "sub", (a, b) if self.nodes[a].op == "constant":
                return Instruction("from number", (), (self.read(b),), value=self.nodes[a].value)
        return Instruction(node.op, (), tuple(self.read(arg) for arg in node.args))

    def _vector(self, index: int) -> tuple[int, float] | None:
        """Which vector a node is, and whether it is one number for all units."""
        node, one = self.nodes[index], 0.0
        if node.op == "broadcast":
            node, one = self.nodes[node.args[0]], 1.0
        return (node.source, one) if node.op == "vector" else None

    def _new(self, instruction: Instruction) -> int:
        instruction.results = (self.values,)
        self.values += 1
        self.code.append(instruction)
        return instruction.results[0]

    def coded(self) -> list[Coded]:
        """The instructions with slots; a slot is free once its value was read for the last time."""
        last = {value: at for at, step in enumerate(self.code) for value in step.operands}
        slot: dict[int, int] = {}
        free: set[int] = set()
        coded = []
        for at, step in enumerate(self.code):
            operands = [slot[value] for value in step.operands]
            free.update(slot[value] for value in set(step.operands) if last[value] == at)
            start = self._take(free, len(step.results))
            slot.update(zip(step.results, range(start, start + len(step.results)), strict=True))
            free.update(slot[value] for value in step.results if value not in last)
            a, b = (*operands, 0, 0)[:2]
            coded.append((CODES[step.op], start, a, b, step.i, step.j, step.k, float(step.value)))
        return coded

    def _take(self, free: set[int], count: int) -> int:
        """The first of ``count`` neighbouring free slots, taken."""
        if not count:
            return 0
        start = next(
            s
            for s in range(self.slots + 1)
            if all(s + n in free or s + n >= self.slots for n in range(count))
        )
        free.difference_update(range(start, start + count))
        self.slots = max(self.slots, start + count)
        return start
