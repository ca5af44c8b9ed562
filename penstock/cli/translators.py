"""What the verbs for all models do with translators."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli.options import print_json
from penstock.errors import ConfigError, DataError
from penstock.progress import Watch

if TYPE_CHECKING:
    from penstock.cli.search_options import SearchOptions
    from penstock.text import PairFiles
    from penstock.translation.system import System

__all__ = ["evaluate_translators", "is_translator", "score_pairs", "trained_beam"]

ROWS = 64
"""Pairs scored side by side."""


def is_translator(path: Path) -> bool:
    """Whether a folder says that it holds a translator; anything else is told by those who open."""
    try:
        return bool(json.loads((path / "model.json").read_bytes())["kind"] == "translator")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def trained_beam(system: System) -> int:
    """The beam that a translator was measured with after training."""
    return int(system.settings.get("beam", 5))


def evaluate_translators(
    paths: Sequence[Path],
    pairs: PairFiles | None,
    search: SearchOptions,
    *,
    bleu: str,
    resamples: int,
    watch: Watch,
    as_json: bool,
) -> None:
    """BLEU, chrF, TER and perplexity of one translator, or of several as one."""
    from penstock.metrics import Metric
    from penstock.metrics.bootstrap import check_resamples
    from penstock.translation.scores import evaluate_pairs
    from penstock.translation.system import load_translator

    if pairs is None:
        raise ConfigError("evaluate: expected --src FILE and --tgt FILE for a translator.")
    systems = [load_translator(path) for path in paths]
    kind = bleu or str(systems[0].settings.get("bleu", "bleu"))
    asked = list(pairs)
    # What is wrong is told before the long work.
    if not Metric(kind, [target for _, target in asked]).kind.is_bleu:
        raise ConfigError(f"evaluate: expected a kind of BLEU with --bleu, got {kind}.")
    if resamples:
        check_resamples(resamples)
    with watch("translating") as told:
        found = evaluate_pairs(
            systems,
            asked,
            search.options(trained_beam(systems[0])),
            risk=search.risk(),
            bleu=kind,
            resamples=resamples,
            progress=told,
        )
    if as_json:
        print_json(found.as_dict())
        return
    print("\n".join(map(str, found.scores)))
    if found.perplexity:
        print(f"perplexity = {found.perplexity.perplexity:.2f}; {found.perplexity.signature}")


def score_pairs(
    path: Path,
    lines: Iterable[str],
    show: Callable[[str, list[tuple[str, float]]], None],
) -> None:
    """Log-probabilities of translations, given as source, tab, translation.

    Args:
        show: told each line, and the target's tokens with the log-probability of each.
    """
    from penstock.translation.system import load_translator

    system = load_translator(path)
    for batch in _batches(lines):
        for (line, *_), tokens in zip(batch, _tokens(system, batch), strict=True):
            show(line, tokens)


def _batches(lines: Iterable[str]) -> Iterator[list[tuple[str, str, str]]]:
    """Lines with their source and translation, some at a time."""
    batch = []
    for number, line in enumerate(lines, 1):
        source, tab, target = line.partition("\t")
        if not tab:
            raise DataError(
                f"stdin:{number}: expected a source, a tab and a translation, got {line[:40]!r}."
            )
        batch.append((line, source, target))
        if len(batch) == ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _tokens(
    system: System, batch: Sequence[tuple[str, str, str]]
) -> Iterator[list[tuple[str, float]]]:
    """Each token of each translation with its log-probability."""
    import numpy as np
    import torch

    from penstock.text import PairCorpus, pair_batch

    corpus = PairCorpus.from_pairs([row[1:] for row in batch], system.tokenisers)
    pairs = pair_batch(corpus, np.arange(len(corpus)))
    with torch.no_grad():
        model = system.model
        features = model(pairs.src, pairs.src_lengths, pairs.tgt_in, pairs.tgt_lengths)
        log_ps = -model.losses(features, pairs.tgt_out)
    names = system.target.tokeniser.tokens
    for row, length in enumerate(pairs.tgt_lengths.tolist()):
        ids = pairs.tgt_out[:length, row].tolist()
        own = log_ps[:length, row].tolist()
        yield [(names[symbol], log_p) for symbol, log_p in zip(ids, own, strict=True)]
