"""``penstock train translate``: learn to translate from pairs of sentences."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.cli.options import (
    FileList,
    Json,
    Out,
    Quiet,
    RecipeName,
    Threads,
    folder_for,
    print_json,
    use_threads,
    with_settings,
)
from penstock.cli.pairs import Fields, SourceFiles, TargetFiles, pair_files
from penstock.errors import ConfigError
from penstock.training.translation_settings import TranslationSettings

if TYPE_CHECKING:
    from penstock.text import PairFiles
    from penstock.training.recipe import Recipe

__all__ = ["translate"]

PARTS = ("train", "valid", "test")


@with_settings(TranslationSettings)
def translate(
    *,
    src: SourceFiles = None,
    tgt: TargetFiles = None,
    valid_src: SourceFiles = None,
    valid_tgt: TargetFiles = None,
    test_src: SourceFiles = None,
    test_tgt: TargetFiles = None,
    fields: Fields = "",
    links: FileList = None,
    out: Out = None,
    recipe: RecipeName = "",
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Train a translator on pairs of sentences; the same command goes on after a stop."""
    from penstock.cli.bar import bar
    from penstock.training.listener import listener
    from penstock.training.pair_texts import PairTexts
    from penstock.training.recipe import load_recipe, settings_from
    from penstock.training.translate_run import train_translator

    use_threads(threads)
    book = load_recipe(recipe) if recipe else None
    settings = settings_from(TranslationSettings, book.settings if book else {}, given)
    named = {
        "train": pair_files(src, tgt, fields),
        "valid": pair_files(valid_src, valid_tgt, fields),
        "test": pair_files(test_src, test_tgt, fields),
    }
    pairs = _with_recipe(named, book)
    folder = folder_for("translate", out, recipe)
    texts = PairTexts(pairs["train"], pairs["valid"], pairs.get("test"), links or ())
    watch = partial(bar, quiet=quiet)
    run = train_translator(texts, settings, folder, listener(quiet=quiet), watch)
    if as_json:
        results = {part: found.as_dict() for part, found in run.results.items()}
        print_json({"folder": str(folder), "results": results})
        return
    for part, found in run.results.items():
        print("\n".join(f"{part} {score}" for score in found.scores))
    print(f"model in {folder}")


def _with_recipe(named: dict[str, PairFiles | None], book: Recipe | None) -> dict[str, PairFiles]:
    """The files given, and for the rest those of the recipe."""
    from penstock.text import PairFiles
    from penstock.training.recipe import Recipe, find_data

    book = book or Recipe("", "")
    for part, files in book.texts.items():
        if not named[part]:
            src, *tgt = [find_data(file) for file in files]
            named[part] = PairFiles([src], tgt) if tgt else PairFiles([src], None, book.fields)
    found = {part: files for part, files in named.items() if files}
    options = {"train": "--src and --tgt", "valid": "--valid-src and --valid-tgt"}
    if missing := [option for part, option in options.items() if part not in found]:
        raise ConfigError(f"train translate: expected {' and '.join(missing)}.")
    return found
