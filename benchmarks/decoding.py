"""A trained translator's text, ours and plain PyTorch's: ``python -m benchmarks decoding``.

The plain side has the weights of the same translator (cell ``gru-pytorch``, conditional, additive
attention, bidirectional), takes the sentences in batches of like length, and goes on until all of
a batch has ended.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.plain_translator import Plain
from benchmarks.timing import paired
from penstock.search import Beam
from penstock.text import pad
from penstock.translation.finder import Finder
from penstock.translation.system import System, load_translator
from penstock.translation.translating import translate


def ours(system: System, lines: list[str], options: Beam, shortlist: int) -> list[str]:
    """Translations as the library makes them."""
    finder = Finder([system], options, shortlist=shortlist)
    return [one.texts[0] for one in translate(finder, lines)]


def plain(model: Plain, system: System, lines: list[str], beam: int, size: int) -> list[str]:
    """The same by plain PyTorch, in batches of ``size``."""
    rows, target = system.encode(lines), system.target
    order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
    texts = [""] * len(rows)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        source, lengths = pad([rows[n] for n in batch], system.source.eos_id)
        most = 3 * len(source) + 20
        ends = {"start": target.bos_id, "end": target.eos_id}
        for n, ids in zip(
            batch, model.translate(source, lengths, beam, most=most, **ends), strict=True
        ):
            texts[n] = target.decode(ids)
    return texts


def main() -> None:
    """Print words a second of both sides, all at once and one sentence at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a translator")
    parser.add_argument("source", type=Path, help="text to translate")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--shortlist", type=int, default=0, help="of ours: as of the program")
    parser.add_argument("--prune", type=float, default=0.0, help="of ours: as of the program")
    parser.add_argument("--batch", type=int, default=64, help="sentences of plain PyTorch's batch")
    parser.add_argument("--alone", type=int, default=50, help="sentences taken one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    system = load_translator(options.model)
    peer, beam, shortlist = Plain.of(system.model).eval(), options.beam, options.shortlist
    search = Beam(beam, prune=options.prune)
    lines = options.source.read_text(encoding="utf-8").splitlines()
    some = lines[: options.alone]
    found: dict[str, list[str]] = {}
    sides = {
        "penstock": lambda: found.update(ours=ours(system, lines, search, shortlist)),
        "plain": lambda: found.update(plain=plain(peer, system, lines, beam, options.batch)),
    }
    alone = {
        "penstock": lambda: [ours(system, [line], search, shortlist) for line in some],
        "plain": lambda: [plain(peer, system, [line], beam, 1) for line in some],
    }
    seconds = paired(sides, options.rounds)
    words = sum(len(text.split()) for text in found["ours"])
    same = sum(map(str.__eq__, found["ours"], found["plain"])) / len(lines)
    speeds = ", ".join(f"{name} {words / spent:,.0f}" for name, spent in seconds.items())
    ratio = seconds["plain"] / seconds["penstock"]
    print(
        f"{len(lines)} sentences, target words/s: {speeds}; ratio {ratio:.1f}; same text {same:.1%}"
    )
    seconds = paired(alone, options.rounds)
    each = ", ".join(f"{name} {1e3 * spent / len(some):.0f}" for name, spent in seconds.items())
    print(
        f"one at a time, ms a sentence: {each}; ratio {seconds['plain'] / seconds['penstock']:.1f}"
    )
