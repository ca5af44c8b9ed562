"""``penstock train KIND``: train a model and leave it in a folder or a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli import ngram, train_translate
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
from penstock.cli.tokens import TokensOf, taken_over
from penstock.equations import parse
from penstock.errors import ConfigError
from penstock.training.language_settings import LanguageSettings

__all__ = ["app"]

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def train() -> None:
    """Train a model."""


app.command("ngram")(ngram.ngram)
app.command("translate")(train_translate.translate)


@app.command("lm")
@with_settings(LanguageSettings)
def language_model(
    *,
    train: FileList = None,
    valid: FileList = None,
    test: FileList = None,
    out: Out = None,
    recipe: RecipeName = "",
    cell_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a cell's equations, instead of --cell")
    ] = None,
    tokeniser: TokensOf = None,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Train a language model on text; the same command goes on after a stop."""
    from penstock.cli.bar import bar
    from penstock.inspect.report import gather, write_report
    from penstock.training.listener import listener
    from penstock.training.recipe import find_data, load_recipe, settings_from
    from penstock.training.run import Texts, train_language

    use_threads(threads)
    book = load_recipe(recipe) if recipe else None
    if cell_file:
        given["cell"] = _equations(cell_file, given)
    tokens = taken_over(tokeniser, given) if tokeniser else None
    settings = settings_from(LanguageSettings, book.settings if book else {}, given)
    named = {"train": train or [], "valid": valid or [], "test": test or []}
    for part, files in (book.texts if book else {}).items():
        named[part] = named[part] or [find_data(file) for file in files]
    if missing := [f"--{part} FILE" for part in ("train", "valid") if not named[part]]:
        raise ConfigError(f"train lm: expected {' and '.join(missing)}.")
    folder = folder_for("lm", out, recipe)
    watch = partial(bar, quiet=quiet)
    run = train_language(
        Texts(**named), settings, folder, listener(quiet=quiet), watch, tokeniser=tokens
    )
    report = write_report(folder, gather(run))
    if as_json:
        results = {part: found.as_dict() for part, found in run.results.items()}
        print_json({"folder": str(folder), "report": str(report), "results": results})
        return
    for part, found in run.results.items():
        print(f"{part} perplexity {found.perplexity:.2f}  ({found.signature})")
    print(f"model in {folder}, report in {report}")


def _equations(path: Path, given: dict[str, Any]) -> str:
    """The equations in a file."""
    if "cell" in given:
        raise ConfigError(f"train lm: expected --cell or --cell-file, got both, {path} and a name.")
    from penstock.text import read_lines

    text = "\n".join(read_lines(path))
    parse(text, str(path))  # so that a mistake is told with the file's name
    return text
