"""``penstock evaluate MODEL ... --test FILE``: what a text costs under a model, or a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.options import (
    LARGEST,
    FileList,
    Json,
    Quantise,
    Quiet,
    Sentences,
    Threads,
    print_json,
    refuse,
    use_threads,
    with_settings,
)
from penstock.cli.pairs import SourceFiles, TargetFiles, pair_files
from penstock.cli.search_options import SearchOptions, search_options
from penstock.cli.translators import evaluate_translators, is_translator
from penstock.counting.mixture import em_weights
from penstock.errors import ConfigError, unknown
from penstock.scoring import log_linear
from penstock.scoring.measure import improper, measure
from penstock.scoring.network import Network
from penstock.scoring.scorer import check_same_tokens, open_model

if TYPE_CHECKING:
    from penstock.metrics import Perplexity

__all__ = ["evaluate"]

MIXES = ("em", "equal", log_linear.NAME)
FITTED = ("em", log_linear.NAME)
OF_CACHE = ("theta", "cache_weight")
OF_DYNAMIC = ("dynamic_steps", "dynamic_decay")
OF_TRANSLATORS = ("src", "tgt", "bleu", "resamples")
OF_LANGUAGE_MODELS = (
    *("test", "mix", "valid", "quantise", "sentences", "cache", "dynamic"),
    *(*OF_CACHE, *OF_DYNAMIC),
)


@with_settings(SearchOptions, without=("nbest", "lm_weight"))
def evaluate(
    context: typer.Context,
    models: Annotated[list[Path], typer.Argument(help="folder of a model or file of n-grams")],
    *,
    test: FileList = None,
    src: SourceFiles = None,
    tgt: TargetFiles = None,
    bleu: Annotated[
        str, typer.Option(metavar="KIND", help="of translators: bleu, bleu-lc, multi-bleu")
    ] = "",
    resamples: Annotated[
        int, typer.Option(min=0, help="texts drawn for intervals of translators (0: none)")
    ] = 0,
    mix: Annotated[
        str, typer.Option(metavar="HOW", help="weights of several models: em, equal, log-linear")
    ] = "",
    valid: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="text that weights are fitted to")
    ] = None,
    quantise: Quantise = "",
    sentences: Sentences = False,
    cache: Annotated[int, typer.Option(min=0, max=LARGEST, help="words of a cache (0: none)")] = 0,
    theta: Annotated[float, typer.Option(help="sharpness of a network's cache")] = 0.3,
    cache_weight: Annotated[float, typer.Option(help="share of the cache")] = 0.1,
    dynamic: Annotated[float, typer.Option(help="rate of dynamic evaluation (0: none)")] = 0.0,
    dynamic_steps: Annotated[int, typer.Option(help="tokens between its updates")] = 20,
    dynamic_decay: Annotated[float, typer.Option(help="its pull back to the start")] = 0.0,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Perplexity of a text, or BLEU of translations, with its definition."""
    from penstock.cli.bar import bar
    from penstock.scoring.losses import Adaption, Cache, Dynamic
    from penstock.text.read import resolve

    use_threads(threads)
    watch = partial(bar, quiet=quiet)
    if is_translator(models[0]):
        refuse(context, OF_LANGUAGE_MODELS, f"{models[0]} is a translator")
        evaluate_translators(
            models,
            pair_files(src, tgt),
            search_options("evaluate", given, fused=False),
            bleu=bleu,
            resamples=resamples,
            watch=watch,
            as_json=as_json,
        )
        return
    refuse(context, (*OF_TRANSLATORS, *given), f"{models[0]} is no translator")
    _check(context, models, mix, valid)
    if not test:
        raise ConfigError("evaluate: expected --test FILE.")
    adaption = Adaption(
        Cache(cache, theta, cache_weight) if cache else None,
        Dynamic(dynamic, dynamic_steps, dynamic_decay) if dynamic else None,
        sentences,
    ).check()
    opened = []
    for path in models:
        with watch(f"reading {path}") as told:
            opened.append(open_model(path, told, precision=quantise, threads=threads))
    if not any(isinstance(model, Network) for model in opened):
        refuse(context, ("dynamic", *OF_DYNAMIC, "theta"), "n-grams have no state")
    check_same_tokens(opened)
    resolve([*test, *(valid or [])])
    if mix == log_linear.NAME:
        weights = log_linear.fit(opened, valid or [], adaption, watch)
        found = log_linear.measure(opened, weights, test, adaption, watch)
        whole, known = found.cost(np.ones(1))
    else:
        weights = np.full(len(opened), 1 / len(opened))
        if mix == "em":
            weights = em_weights(measure(opened, valid or [], adaption, watch).log_ps)
        found = measure(opened, test, adaption, watch)
        whole, known = found.cost(weights)
    extra: dict[str, Any] = {}
    if len(opened) > 1:
        extra["weights"] = list(zip(map(str, models), weights.tolist(), strict=True))
    if whole.unknown:
        extra["perplexity_without_unk"] = known.perplexity
    if improper(found.mass):
        extra["probabilities_sum_to"] = found.mass
    _show(whole, extra, as_json)


def _check(
    context: typer.Context, models: Sequence[Path], mix: str, valid: Sequence[Path] | None
) -> None:
    """Refuse options that are missing, or have no effect beside the others."""
    if not context.params["cache"]:
        refuse(context, OF_CACHE, "there is no --cache N")
    if not context.params["dynamic"]:
        refuse(context, OF_DYNAMIC, "there is no --dynamic X")
    if len(models) == 1:
        refuse(context, ("mix", "valid"), "there is one model")
        return
    if mix and mix not in MIXES:
        raise unknown("evaluate", "mix", mix, MIXES)
    if not mix:
        raise ConfigError(
            f"evaluate: expected --mix {', '.join(MIXES[:-1])} or {MIXES[-1]} for {len(models)} "
            "models. To see them side by side, use penstock compare."
        )
    if mix not in FITTED:
        refuse(context, ("valid",), f"--mix {mix} fits no weights")
    elif not valid:
        raise ConfigError(
            f"evaluate: expected --valid FILE, the text that {mix} fits the weights to."
        )


def _show(found: Perplexity, extra: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found.as_dict() | extra)
        return
    for name, weight in extra.get("weights", ()):
        print(f"weight              {weight:.4f}  {name}")
    print(f"perplexity          {found.perplexity:.2f}")
    if "perplexity_without_unk" in extra:
        print(f"    without <unk>   {extra['perplexity_without_unk']:.2f}")
    print(f"nats per token      {found.nats_per_token:.4f}")
    print(f"bits per token      {found.bits_per_token:.4f}")
    print(f"bits per character  {found.bits_per_character:.4f}")
    print(found.signature)
    if "probabilities_sum_to" in extra:
        print(improper(extra["probabilities_sum_to"]))
