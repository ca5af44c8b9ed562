"""``penstock train KIND``: train a model and leave it in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.options import FileList, Json, Quiet, Threads, use_threads, with_settings
from penstock.equations import parse
from penstock.errors import ConfigError, DataError
from penstock.training.language import LanguageSettings

__all__ = ["app"]

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def train() -> None:
    """Train a model."""


@app.command("lm")
@with_settings(LanguageSettings)
def language_model(
    *,
    train: FileList = None,
    valid: FileList = None,
    test: FileList = None,
    out: Annotated[Path | None, typer.Option(help="folder for the model")] = None,
    recipe: Annotated[str, typer.Option(help="settings by name, or a .toml file")] = "",
    cell_file: Annotated[Path | None, typer.Option(help="file with a cell's equations")] = None,
    threads: Threads = 0,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Train a language model on text; the same command goes on after a stop."""
    from penstock.training.progress import progress
    from penstock.training.recipe import find_data, load_recipe, settings_from
    from penstock.training.run import Texts, train_language

    use_threads(threads)
    book = load_recipe(recipe) if recipe else None
    if cell_file:
        given["cell"] = read_cell(cell_file)
    settings = settings_from(LanguageSettings, book.settings if book else {}, given)
    named = {"train": train or [], "valid": valid or [], "test": test or []}
    for part, file in (book.texts if book else {}).items():
        named[part] = named[part] or [find_data(file)]
    if missing := [f"--{part} FILE" for part in ("train", "valid") if not named[part]]:
        raise ConfigError(f"train lm: expected {' and '.join(missing)}.")
    folder = out or (Path("runs") / recipe if recipe else None)
    if folder is None:
        raise ConfigError("train lm: expected --out DIR, the folder for the model.")
    run = train_language(Texts(**named), settings, folder, progress(quiet=quiet))
    from penstock.inspect.report import gather, write_report

    report = write_report(folder, gather(run))
    results = {part: found.as_dict() for part, found in run.results.items()}
    if as_json:
        print(json.dumps({"folder": str(folder), "report": str(report), "results": results}))
        return
    for part, found in run.results.items():
        print(f"{part} perplexity {found.perplexity:.2f}  ({found.signature})")
    print(f"model in {folder}, report in {report}")


def read_cell(path: Path) -> str:
    """The equations in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as equations ({error}).") from error
    parse(text, path.stem)  # a mistake is told with the file's name
    return text
