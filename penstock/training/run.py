"""From texts to the folder of a trained language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from penstock.engines.precision import check_products
from penstock.errors import ConfigError
from penstock.metrics.perplexity import Perplexity
from penstock.models import store
from penstock.models.language import LanguageModel
from penstock.progress import Watch, unwatched
from penstock.scoring.losses import perplexity
from penstock.text import Corpus, Tokeniser, resolve
from penstock.text.tokenise import FILE
from penstock.training import card
from penstock.training import folder as folders
from penstock.training.distributed import check_alone
from penstock.training.gradients import equation_gradients
from penstock.training.language import (
    LanguageSettings,
    build_model,
    build_task,
    model_type,
    token_counts,
)
from penstock.training.listener import Listener
from penstock.training.loop import fit
from penstock.training.memory import check_sizes
from penstock.training.randomness import seed_everything
from penstock.training.state import Summary

__all__ = ["LanguageRun", "Texts", "train_language"]


@dataclass(frozen=True)
class Texts:
    """The files of a run; each is one file or several."""

    train: Sequence[Path]
    valid: Sequence[Path]
    test: Sequence[Path] = ()

    def parts(self) -> dict[str, Sequence[Path]]:
        """Name to files, of those that are given."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {part: files for part, files in named.items() if files}

    def origin(self) -> dict[str, Any]:
        """What tells these texts from others: names and sizes.

        Raises:
            DataError: a file is missing, empty, or a folder; all are named.
        """
        resolve([file for files in self.parts().values() for file in files])
        return {
            part: [[file.name, file.stat().st_size] for file in files]
            for part, files in (("train", self.train), ("valid", self.valid))
        }


@dataclass(frozen=True)
class LanguageRun:
    """A trained language model with all that was used and found.

    Attributes:
        results: "valid" and "test" to what that text costs under the best weights.
    """

    folder: Path
    model: LanguageModel
    tokeniser: Tokeniser
    settings: LanguageSettings
    corpora: Mapping[str, Corpus]
    summary: Summary
    results: Mapping[str, Perplexity]


def train_language(
    texts: Texts,
    settings: LanguageSettings,
    folder: Path,
    listener: Listener | None = None,
    watch: Watch | None = None,
    *,
    tokeniser: Tokeniser | None = None,
) -> LanguageRun:
    """Train a language model and leave it in ``folder``; a run found there is continued.

    Args:
        listener: hears of the training.
        watch: hears of the long work before and after it.
        tokeniser: another model's, to be taken over; by default one is learnt from the text.

    Raises:
        DataError: a text cannot be used.
        ConfigError: the settings cannot work, or the folder holds another model.
        KeyboardInterrupt: training was interrupted; a checkpoint and the weights are written.
    """
    check_alone("train lm")
    check_products(settings.precision)
    shown, watch = listener or Listener(), watch or unwatched
    origin = texts.origin()
    _check_sizes(settings, settings.vocab_size or max(2, settings.classes))
    folders.claim(folder, model_type(settings), settings, origin)
    tokeniser = _kept(tokeniser, folder) or _learned(texts, settings, folder, watch)
    _check_sizes(settings, tokeniser.vocab_size)
    corpora = _corpora(texts, tokeniser, folder, watch)
    shown.message(_counts(tokeniser, corpora))
    seed_everything(settings.seed)
    counts = token_counts(corpora["train"].ids, tokeniser.vocab_size)
    model = build_model(settings, tokeniser.vocab_size, torch.from_numpy(counts))
    task = build_task(model, settings, tokeniser, corpora["train"], corpora["valid"])
    folders.describe(folder, model, settings, origin)
    summary = fit(
        task, model, settings, folder, gradients=equation_gradients(model), listener=shown
    )
    store.save_weights(folder, model)
    if summary.stopped == "interrupted":
        raise KeyboardInterrupt
    results: dict[str, Perplexity] = {}
    for part in (part for part in corpora if part != "train"):
        with watch(f"evaluating {part}") as told:
            results[part] = perplexity(
                model, tokeniser, corpora[part], alone=settings.sentences, progress=told
            )
    run = LanguageRun(folder, model, tokeniser, settings, corpora, summary, results)
    found = {part: cost.as_dict() for part, cost in results.items()}
    card.write_results(folder, summary, found, card.card(run))
    return run


def _check_sizes(settings: LanguageSettings, vocab_size: int) -> None:
    check_sizes(settings, vocab_size, lambda: build_model(settings, vocab_size))


def _kept(taken: Tokeniser | None, folder: Path) -> Tokeniser | None:
    """The folder's tokeniser if it has one, else the one taken over, now the folder's."""
    if not (folder / FILE).exists():
        if taken:
            taken.save(folder)
        return taken
    found = Tokeniser.load(folder)
    if taken and taken.fingerprint != found.fingerprint:
        raise ConfigError(f"{folder}: holds a model of other tokens. Give another folder.")
    return found


def _learned(texts: Texts, settings: LanguageSettings, folder: Path, watch: Watch) -> Tokeniser:
    """A tokeniser learnt from the training text, now the folder's."""
    with watch("learning the vocabulary") as told:
        tokeniser = Tokeniser.train(
            list(texts.train),
            settings.tokens,
            vocab_size=settings.vocab_size or None,
            min_count=settings.min_count,
            progress=told,
        )
    tokeniser.save(folder)
    return tokeniser


def _corpora(texts: Texts, tokeniser: Tokeniser, folder: Path, watch: Watch) -> dict[str, Corpus]:
    corpora = {}
    for part, files in texts.parts().items():
        with watch(f"tokenising {part}") as told:
            corpus = Corpus.build(list(files), tokeniser, folder / "text", part, progress=told)
        corpora[part] = corpus.check_known(", ".join(map(str, files)))
    return corpora


def _counts(tokeniser: Tokeniser, corpora: Mapping[str, Corpus]) -> str:
    """Sizes of vocabulary and texts, in a line."""
    texts = ", ".join(
        f"{part} {len(corpus):,}" + (f" ({corpus.unknown:,} <unk>)" if corpus.unknown else "")
        for part, corpus in corpora.items()
    )
    return f"vocabulary {tokeniser.vocab_size:,}; tokens: {texts}"
