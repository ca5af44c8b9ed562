"""``penstock evaluate DIR --test FILE``: what a text costs under a model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from penstock.cli.options import Folder, Json, Quiet, Threads, print_json, use_threads

__all__ = ["evaluate"]


def evaluate(
    folder: Folder,
    *,
    test: Annotated[list[Path], typer.Option(help="text file, plain, .gz or .xz; repeatable")],
    sentences: Annotated[bool, typer.Option("--sentences", help="every line stands alone")] = False,
    cache: Annotated[int, typer.Option(min=0, help="words of a continuous cache (0: none)")] = 0,
    theta: Annotated[float, typer.Option(help="sharpness of the cache")] = 0.3,
    cache_weight: Annotated[float, typer.Option(help="share of the cache")] = 0.1,
    dynamic: Annotated[float, typer.Option(help="rate of dynamic evaluation (0: none)")] = 0.0,
    dynamic_steps: Annotated[int, typer.Option(help="tokens between its updates")] = 20,
    dynamic_decay: Annotated[float, typer.Option(help="its pull back to the start")] = 0.0,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Perplexity of a text, with its definition."""
    from penstock.cli.bar import bar
    from penstock.text import Corpus
    from penstock.training.evaluate import Cache, Dynamic
    from penstock.training.folder import load_language
    from penstock.training.run import perplexity

    use_threads(threads)
    recent = Cache(cache, theta, cache_weight) if cache else None
    trained = Dynamic(dynamic, dynamic_steps, dynamic_decay) if dynamic else None
    model, tokeniser = load_language(folder)
    # The ids go through a file, so that a text of any size is read in little memory.
    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as place:
        with bar("tokenising", quiet=quiet) as told:
            corpus = Corpus.build(test, tokeniser, place, "test", progress=told)
        corpus.check_known(", ".join(map(str, test)))
        with bar("evaluating", quiet=quiet) as told:
            found = perplexity(
                model,
                tokeniser,
                corpus,
                alone=sentences,
                cache=recent,
                dynamic=trained,
                progress=told,
            )
    if as_json:
        print_json(found.as_dict())
        return
    print(f"perplexity          {found.perplexity:.2f}")
    print(f"nats per token      {found.nats_per_token:.4f}")
    print(f"bits per token      {found.bits_per_token:.4f}")
    print(f"bits per character  {found.bits_per_character:.4f}")
    print(found.signature)
