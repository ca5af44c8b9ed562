"""``penstock inspect attention|beam|states DIR ...``: pictures of what a translator does."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.options import Threads, use_threads
from penstock.cli.stdin import StdinLines
from penstock.errors import ConfigError, DataError

__all__ = ["app"]

SHOWN = 4
"""Sentences that are drawn unless others are asked for."""
MOST = 100
"""Most sentences that are drawn."""
app = typer.Typer(
    help="Pictures of what a translator does.", no_args_is_help=True, rich_markup_mode=None
)

Folders = Annotated[
    list[Path], typer.Argument(help="folder of a translator; several translate together")
]
Source = Annotated[
    Path | None, typer.Option("--src", metavar="FILE", help="source sentences [standard input]")
]
Lines = Annotated[
    str, typer.Option(metavar="LIST", help=f"which lines, as 1,7-9 [the first {SHOWN}]")
]
BeamSize = Annotated[int, typer.Option(min=1, help="hypotheses kept")]


@app.command()
def attention(
    folders: Folders,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="figure: .png, .svg or .pdf")],
    src: Source = None,
    lines: Lines = "",
    beam: BeamSize = 5,
    pieces: Annotated[bool, typer.Option("--pieces", help="tokens instead of words")] = False,
    columns: Annotated[int, typer.Option(min=1, help="heat maps beside each other")] = 2,
    threads: Threads = 0,
) -> None:
    """Heat maps: which source words were looked at for each target word."""
    from penstock.inspect.attention import attention_maps
    from penstock.inspect.save import check_format, save
    from penstock.inspect.translator import alignments
    from penstock.search import Beam
    from penstock.translation.system import load_translator

    check_format(out)
    use_threads(threads)
    systems = [load_translator(folder) for folder in folders]
    maps = [
        replace(found, title=f"line {n}")
        for n, sentence in _sentences(src, lines)
        for found in alignments(systems, [sentence], Beam(beam), words=not pieces)
    ]
    print(save(attention_maps(maps, columns=columns), out))


@app.command()
def beam(
    folders: Folders,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="page: .html")],
    src: Source = None,
    lines: Lines = "",
    beam: BeamSize = 5,
    threads: Threads = 0,
) -> None:
    """The tree of a beam search as a page: what was kept, what was pruned, what won."""
    from penstock.inspect.beam_tree import write_beam_trees
    from penstock.inspect.translator import search_trees
    from penstock.search import Beam
    from penstock.translation.system import load_translator

    if out.suffix.lower() not in (".htm", ".html"):
        raise ConfigError(f"{out}: expected a name ending in .html.")
    use_threads(threads)
    systems = [load_translator(folder) for folder in folders]
    trees = search_trees(systems, [text for _, text in _sentences(src, lines)], Beam(beam))
    plural = "es" if beam > 1 else "is"
    print(write_beam_trees(out, trees, title=f"Beam search of {beam} hypothes{plural}"))


@app.command()
def states(
    folder: Annotated[Path, typer.Argument(help="folder of a translator")],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="figure: .png, .svg or .pdf")],
    phrases: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="one a line; blank lines part groups, # titles panels [Sutskever et al. 2014]",
        ),
    ] = None,
    threads: Threads = 0,
) -> None:
    """Phrases on the plane on which the encoder's last states differ most (PCA)."""
    from penstock.inspect.phrases import PHRASES, phrase_map, read_phrases
    from penstock.inspect.save import check_format, save
    from penstock.inspect.translator import encoder_states, unknown_words
    from penstock.text import read_lines
    from penstock.translation.system import load_translator

    check_format(out)
    use_threads(threads)
    panels = read_phrases("\n".join(read_lines(phrases))) if phrases else PHRASES
    system = load_translator(folder)
    vectors = [encoder_states(system, panel.phrases) for panel in panels]
    print(save(phrase_map(panels, vectors), out))
    lines = [phrase for panel in panels for phrase in panel.phrases]
    if unknown := unknown_words(system, lines):
        shown = ", ".join(unknown[:5]) + ", ..." * (len(unknown) > 5)
        print(f"penstock: words that the model does not know: {shown}", file=sys.stderr)


def _sentences(source: Path | None, lines: str) -> list[tuple[int, str]]:
    """The sentences asked for, each with the number of its line.

    Raises:
        DataError: there are none, or not so many.
        ConfigError: the numbers cannot be read.
    """
    from penstock.text import read_lines

    wanted = _numbers(lines) if lines else list(range(1, SHOWN + 1))
    text = read_lines(source) if source else StdinLines()
    found = dict(enumerate(islice(text, max(wanted)), start=1))
    if lines and max(wanted) > len(found):
        raise DataError(f"inspect: expected line {max(wanted)}, got {len(found)} lines.")
    sentences = [(n, found[n]) for n in wanted if found.get(n, "").strip()]
    if not sentences:
        raise DataError("inspect: expected a sentence, got empty lines only.")
    return sentences


def _numbers(lines: str) -> list[int]:
    """
    >>> _numbers("1,7-9")
    [1, 7, 8, 9]
    """
    found: list[int] = []
    for part in lines.split(","):
        first, _, last = part.partition("-")
        ends = [end.strip() for end in (first, last or first)]
        if not all(end.isascii() and end.isdigit() for end in ends):
            raise ConfigError(f"inspect: expected numbers of lines as 1,7-9, got {lines!r}.")
        some = range(int(ends[0]), int(ends[1]) + 1)
        if not some or some[0] < 1 or len(found) + len(some) > MOST:
            raise ConfigError(
                f"inspect: expected 1 to {MOST} lines, counted from 1, got {lines!r}."
            )
        found += some
    return found
