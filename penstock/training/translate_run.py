"""From files of sentence pairs to the folder of a trained translator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from penstock.engines.precision import check_products
from penstock.errors import ConfigError
from penstock.models import store
from penstock.models.translator import Translator
from penstock.progress import Watch, unwatched
from penstock.search import Beam
from penstock.text import Cleaning, PairCorpus, PairFiles, Preparation, SentenceTokeniser
from penstock.training import distributed, translator_card
from penstock.training import folder as folders
from penstock.training.card import write_results
from penstock.training.gradients import equation_gradients
from penstock.training.links import read_links
from penstock.training.listener import Listener
from penstock.training.loop import fit
from penstock.training.memory import check_sizes
from penstock.training.pair_texts import PairTexts
from penstock.training.randomness import seed_everything
from penstock.training.state import Summary
from penstock.training.translation import build_model
from penstock.training.translation_settings import TranslationSettings
from penstock.training.translation_task import TranslationTask
from penstock.training.vectors import begin_with_vectors
from penstock.translation.finder import Finder
from penstock.translation.scores import TranslationScores, bleu_of, evaluate_pairs
from penstock.translation.shortlist import Shortlist
from penstock.translation.system import SIDES, TOKENISERS, System

__all__ = ["TranslatorRun", "train_translator"]

LEAST = 3
"""A vocabulary to try a model's sizes with, before there is one."""
Tokenisers = tuple[SentenceTokeniser, SentenceTokeniser]


@dataclass(frozen=True)
class TranslatorRun:
    """A trained translator with all that was used and found.

    Attributes:
        results: "valid" and "test" to how good the best weights are.
    """

    folder: Path
    system: System
    settings: TranslationSettings
    corpora: Mapping[str, PairCorpus]
    summary: Summary
    results: Mapping[str, TranslationScores]


def train_translator(
    texts: PairTexts,
    settings: TranslationSettings,
    folder: Path,
    listener: Listener | None = None,
    watch: Watch | None = None,
) -> TranslatorRun:
    """Train a translator and leave it in ``folder``; a run found there is continued.

    Args:
        listener: hears of the training.
        watch: hears of the long work before and after it.

    Raises:
        DataError: a text cannot be used.
        ConfigError: the settings cannot work, or the folder holds another model.
        KeyboardInterrupt: training was interrupted; a checkpoint and the weights are written.
    """
    if bool(texts.links) != bool(settings.guided):
        raise ConfigError(
            "train translate: expected --links FILE, word alignments, and --guided X, their weight "
            "in the loss, or neither."
        )
    check_products(settings.precision)
    shown, watch = listener or Listener(), watch or unwatched
    with distributed.joined():
        with distributed.first_one_first():
            texts_known = texts.origin()
            _check_sizes(settings, settings.vocab_size or LEAST)
            folders.claim(folder, Translator, settings, texts_known, tokenisers=TOKENISERS)
            tokenisers = _tokenisers(texts.train, settings, folder, watch)
            corpora = _corpora(texts, settings, tokenisers, folder, watch)
            with watch("learning likely translations"):
                Shortlist.build(corpora["train"], folder)
        _check_sizes(settings, max(tokeniser.vocab_size for tokeniser in tokenisers))
        shown.message(_counts(tokenisers, corpora))
        system, summary = _trained(texts, settings, tokenisers, corpora, folder, shown)
        if summary.stopped == "interrupted":
            raise KeyboardInterrupt
        results = {}
        for part in ("valid", "test") if distributed.rank() == 0 else ():
            if files := texts.parts().get(part):
                with watch(f"translating {part}") as told:
                    results[part] = evaluate_pairs(
                        Finder([system], Beam(settings.beam)),
                        list(files),
                        bleu=settings.bleu,
                        progress=told,
                    )
        run = TranslatorRun(folder, system, settings, corpora, summary, results)
        if distributed.rank() == 0:
            found = {part: scores.as_dict() for part, scores in results.items()}
            write_results(folder, summary, found, translator_card.card(run))
        return run


def _trained(
    texts: PairTexts,
    settings: TranslationSettings,
    tokenisers: Tokenisers,
    corpora: Mapping[str, PairCorpus],
    folder: Path,
    shown: Listener,
) -> tuple[System, Summary]:
    """Train from the first weights, or go on."""
    source, target = tokenisers
    seed_everything(settings.seed)
    model = build_model(settings, source.vocab_size, target.vocab_size, _copies(source, target))
    begin_with_vectors(model, tokenisers, settings)
    system = System(folder, model, source, target, {})
    asked = list(islice(texts.valid, settings.valid_pairs or None))

    def measure() -> float:
        return bleu_of(system, asked, settings.bleu, settings.valid_beam)

    links = read_links(texts.links, corpora["train"]) if texts.links else None
    valid = corpora["valid"]
    task = TranslationTask(model, settings, corpora["train"], valid, measure, links)
    if distributed.rank() == 0:
        prints = {side: t.fingerprint for side, t in zip(SIDES, tokenisers, strict=True)}
        folders.describe(folder, model, settings, texts.origin(), tokenisers=prints)
    gradients = equation_gradients(model)
    summary = fit(task, model, settings, folder, gradients=gradients, listener=shown)
    if distributed.rank() == 0:
        store.save_weights(folder, model)
    model.eval()
    return system, summary


def _check_sizes(settings: TranslationSettings, vocab_size: int) -> None:
    check_sizes(settings, vocab_size, lambda: build_model(settings, vocab_size, vocab_size))


def _tokenisers(
    pairs: PairFiles, settings: TranslationSettings, folder: Path, watch: Watch
) -> Tokenisers:
    """The folder's tokenisers if it has them, else those learnt from the training pairs."""
    if all((folder / file).exists() for file in TOKENISERS):
        source, target = (SentenceTokeniser.load(folder, side) for side in SIDES)
        return source, target
    s = settings
    left, right = (
        Preparation(s.pretokenise, s.lowercase, s.normalise, language)
        for language in s.language_pair
    )
    with watch("learning the vocabulary") as told:
        size = None if s.tokens == "byte" else s.vocab_size or None
        options: dict[str, Any] = {"vocab_size": size, "min_count": s.min_count}
        if s.joint:
            read = pairs.read(told)
            made = SentenceTokeniser.train_joint(
                read, s.tokens, preparations=(left, right), **options
            )
        else:
            made = (
                SentenceTokeniser.train(
                    (pair[0] for pair in pairs.read(told)), s.tokens, preparation=left, **options
                ),
                SentenceTokeniser.train(
                    (pair[1] for pair in pairs.read(told)), s.tokens, preparation=right, **options
                ),
            )
    for side, tokeniser in zip(SIDES, made, strict=True):
        tokeniser.save(folder, side)
    return made


def _corpora(
    texts: PairTexts,
    settings: TranslationSettings,
    tokenisers: Tokenisers,
    folder: Path,
    watch: Watch,
) -> dict[str, PairCorpus]:
    """Ids of the pairs to learn from, cleaned, and of those to choose by, as they are."""
    cleaning = Cleaning(settings.max_length, settings.max_ratio, settings.drop_duplicates)
    corpora = {}
    for part, rules in (("train", cleaning), ("valid", None)):
        with watch(f"tokenising {part}") as told:
            corpora[part] = PairCorpus.build(
                texts.parts()[part],
                tokenisers,
                folder / "text",
                part,
                cleaning=rules,
                progress=told,
            )
    return corpora


def _copies(source: SentenceTokeniser, target: SentenceTokeniser) -> torch.Tensor:
    """The target's id of each source token: ``<unk>``, or the end, where it has none."""
    known = {token: number for number, token in enumerate(target.tokeniser.tokens)}
    otherwise = target.eos_id if target.unk_id is None else target.unk_id
    return torch.tensor([known.get(token, otherwise) for token in source.tokeniser.tokens])


def _counts(tokenisers: Tokenisers, corpora: Mapping[str, PairCorpus]) -> str:
    """Sizes of vocabularies and texts, in a line."""
    sizes = " and ".join(f"{tokeniser.vocab_size:,}" for tokeniser in tokenisers)
    corpus = corpora["train"]
    return (
        f"vocabulary {sizes}; train: {corpus.counts}, {len(corpus.src.ids):,} source and "
        f"{len(corpus.tgt.ids):,} target tokens; valid: {len(corpora['valid']):,} pairs"
    )
