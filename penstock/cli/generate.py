"""``penstock generate DIR``: write text, as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.options import Threads, use_threads

__all__ = ["generate", "text_of"]


def generate(
    folder: Annotated[Path, typer.Argument(help="folder of a model")],
    *,
    prompt: Annotated[str, typer.Option(help="text to go on from")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="how many tokens to write")] = 100,
    temperature: Annotated[float, typer.Option(help="below 1 plainer, above 1 wilder")] = 1.0,
    greedy: Annotated[bool, typer.Option("--greedy", help="always the likeliest token")] = False,
    top_k: Annotated[int, typer.Option(help="only among the k likeliest (0: all)")] = 0,
    top_p: Annotated[float, typer.Option(help="only among the likeliest up to p")] = 1.0,
    seed: Annotated[int, typer.Option(help="of the random numbers")] = 1,
    unknown: Annotated[bool, typer.Option(help="<unk> may be written")] = False,
    threads: Threads = 0,
) -> None:
    """Write text token by token."""
    from penstock.models import store
    from penstock.search import Sampling
    from penstock.search import generate as symbols
    from penstock.text import Tokeniser

    use_threads(threads)
    model, tokeniser = store.load_model(folder), Tokeniser.load(folder)
    sampling = Sampling(0.0 if greedy else temperature, top_k, top_p)
    start = [tokeniser.eos_id, *tokeniser.encode(prompt)]
    forbidden = [] if unknown or tokeniser.unk_id is None else [tokeniser.unk_id]
    written = symbols(model, start, sampling, seed=seed, forbidden=forbidden)
    print(prompt, end="", flush=True)
    for piece in text_of(tokeniser, islice(written, tokens), start[1:]):
        print(piece, end="", flush=True)
    print()


def text_of(tokeniser: Any, ids: Iterable[int], before: list[int]) -> Iterator[str]:
    """The text that ids add to what was before, as soon as it is certain."""
    known = list(before)
    shown = tokeniser.decode(known)
    for symbol in ids:
        known.append(symbol)
        text = tokeniser.decode(known)
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            continue  # the first bytes of a character whose others are to come
        yield text[len(shown) :]
        shown = text
        if text.endswith("\n"):
            known, shown = [], ""
