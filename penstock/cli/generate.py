"""``penstock generate MODEL``: write text, as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.options import (
    LARGEST,
    Json,
    Quantise,
    Threads,
    Weights,
    print_json,
    refuse,
    use_threads,
    weights_of,
)
from penstock.scoring.scorer import open_models

if TYPE_CHECKING:
    from penstock.text import Tokeniser

__all__ = ["generate", "text_of"]


def generate(
    context: typer.Context,
    models: Annotated[
        list[Path], typer.Argument(help="folder of a model or file of n-grams; several as one")
    ],
    *,
    prompt: Annotated[str, typer.Option(help="text to go on from")] = "",
    tokens: Annotated[int, typer.Option(min=1, max=LARGEST, help="how many tokens to write")] = 100,
    temperature: Annotated[float, typer.Option(help="below 1 plainer, above 1 wilder")] = 1.0,
    greedy: Annotated[bool, typer.Option("--greedy", help="always the likeliest token")] = False,
    top_k: Annotated[int, typer.Option(help="only among the k likeliest (0: all)")] = 0,
    top_p: Annotated[float, typer.Option(help="only among the likeliest up to p")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST, help="of the random numbers")] = 1,
    unknown: Annotated[bool, typer.Option("--unknown", help="<unk> may be written")] = False,
    quantise: Quantise = "",
    weights: Weights = "",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Write text token by token."""
    from penstock.search import Sampling
    from penstock.search import generate as symbols

    use_threads(threads)
    if greedy:
        refuse(context, ("temperature", "top_k", "top_p"), "--greedy takes the likeliest token")
    if len(models) == 1:
        refuse(context, ("weights",), "there is one model")
    sampling = Sampling(0.0 if greedy else temperature, top_k, top_p)
    opened = open_models(models, weights_of(weights, len(models)), precision=quantise)
    tokeniser, model = opened.tokeniser, opened.symbols()
    start = [tokeniser.eos_id, *tokeniser.encode(prompt)]
    forbidden = [] if unknown or tokeniser.unk_id is None else [tokeniser.unk_id]
    written = islice(symbols(model, start, sampling, seed=seed, forbidden=forbidden), tokens)
    pieces = text_of(tokeniser, written, start[1:])
    if as_json:
        print_json({"prompt": prompt, "text": "".join(pieces)})
        return
    print(prompt, end="", flush=True)
    try:
        for piece in pieces:
            print(piece, end="", flush=True)
    finally:
        print(flush=True)


def text_of(tokeniser: Tokeniser, ids: Iterable[int], before: Sequence[int]) -> Iterator[str]:
    """The text that ids add to what was before, each piece as soon as it is certain.

    A token's text depends on the one before it (a space between words) and, where tokens are bytes,
    on those with which it makes a character.
    """
    known = list(before[-1:])
    shown = text = tokeniser.decode(known)
    for symbol in ids:
        known.append(symbol)
        text = tokeniser.decode(known)
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            continue  # the first bytes of a character whose others are to come
        yield text[len(shown) :]
        known = [symbol]
        shown = text = tokeniser.decode(known)
    yield text[len(shown) :]
