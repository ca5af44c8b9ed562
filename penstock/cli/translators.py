"""What the verbs for all models do with translators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli.options import print_json
from penstock.errors import ConfigError
from penstock.progress import Watch

if TYPE_CHECKING:
    from penstock.cli.search_options import SearchOptions
    from penstock.text import PairFiles
    from penstock.translation.system import System

__all__ = ["evaluate_translators", "is_translator", "trained_beam"]


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
    from penstock.metrics.bootstrap import check_resamples
    from penstock.metrics.translation import KINDS
    from penstock.translation.scores import evaluate_pairs
    from penstock.translation.system import load_translator

    if pairs is None:
        raise ConfigError("evaluate: expected --src FILE and --tgt FILE for a translator.")
    systems = [load_translator(path) for path in paths]
    kind = bleu or str(systems[0].settings.get("bleu", "bleu"))
    # What is wrong is told before the long work.
    if not KINDS[kind].is_bleu:
        raise ConfigError(f"evaluate: expected a kind of BLEU with --bleu, got {kind}.")
    if resamples:
        check_resamples(resamples)
    with watch("translating") as told:
        found = evaluate_pairs(
            search.finder(systems, trained_beam(systems[0])),
            list(pairs),
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
