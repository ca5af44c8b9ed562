"""``penstock quickstart --task translate``: dates and quantities from one language to another."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli.options import print_json
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.training.translate_run import TranslatorRun

__all__ = ["quickstart_translate"]

SETTINGS = {
    "tokens": "character",
    "pretokenise": "none",
    "vocab_size": 0,
    "hidden": "96",
    "embedding": 32,
    "embedding_dropout": 0.0,
    "context_dropout": 0.1,
    "output_dropout": 0.1,
    "batch_size": 40,
    "lr": 0.006,
    "schedule": "cosine",
    "patience": 0,
    "valid_pairs": 100,
    "beam": 3,
}
EPOCHS = 9
SHOWN = 4
"""Sentences whose attention is drawn."""


def quickstart_translate(
    out: Path, languages: str, epochs: int, *, quiet: bool, as_json: bool
) -> None:
    """Train a translator with attention on text of CLDR, translate, and draw where it looks.

    Args:
        languages: source and target, as ``en,de``.
        epochs: passes over the text, enough of them when 0.
    """
    from penstock.cli.bar import bar
    from penstock.text import PairFiles
    from penstock.text.locale import write_locale
    from penstock.training.listener import listener
    from penstock.training.pair_texts import PairTexts
    from penstock.training.recipe import settings_from
    from penstock.training.translate_run import train_translator
    from penstock.training.translation_settings import TranslationSettings

    names = [name.strip() for name in languages.split(",")]
    if len(names) != 2:
        raise ConfigError(f"quickstart: expected languages as en,de, got {languages!r}.")
    given = {"languages": languages, "epochs": epochs or EPOCHS}
    settings = settings_from(TranslationSettings, SETTINGS, given)
    files = write_locale(out / "text", *names)
    train, valid, test = (PairFiles(*files[part]) for part in ("train", "valid", "test"))
    texts = PairTexts(train, valid, test)
    if not quiet:
        both = " to ".join(names)
        print(f"training a translator of dates and quantities, {both}", file=sys.stderr)
    folder, shown = out / f"translate-{'-'.join(names)}", listener(quiet=quiet)
    run = train_translator(texts, settings, folder, shown, partial(bar, quiet=quiet))
    samples, picture = _samples(run, texts), _picture(run, texts, out)
    if as_json:
        results = {part: found.as_dict() for part, found in run.results.items()}
        print_json({"results": results, "samples": samples, "attention": str(picture)})
        return
    for score in run.results["test"].scores:
        print(f"test {score}")
    print()
    width = max(len(row["source"]) for row in samples)
    for row in samples:
        print(f"{row['source']:{width}}  {row['translation']}")
    print(f"\nattention: {picture}\nmodel: {folder}")


def _samples(run: TranslatorRun, texts: Any) -> list[dict[str, str]]:
    """The first test sentences with what the translator and a person make of them."""
    found = run.results["test"].translations
    return [
        {"source": source, "translation": translation, "reference": reference}
        for (source, reference), translation, _ in zip(texts.test, found, range(8), strict=False)
    ]


def _picture(run: TranslatorRun, texts: Any, out: Path) -> Path:
    """Where the longest of the first test sentences were looked at."""
    from penstock.inspect.attention import attention_maps
    from penstock.inspect.save import save
    from penstock.inspect.translator import alignments

    sources = [source for source, _ in texts.test][:100]
    chosen = sorted(sources, key=len, reverse=True)[:SHOWN]
    maps = alignments([run.system], chosen, words=False)
    return Path(save(attention_maps(maps, columns=2), out / "attention.png"))
