"""``penstock convert MODEL FILE``: a file of n-grams in another format."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.options import Quiet
from penstock.errors import ConfigError
from penstock.scoring.counted import tokeniser_file

__all__ = ["convert"]


def convert(
    model: Annotated[Path, typer.Argument(help="file of n-grams, of any format")],
    file: Annotated[Path, typer.Argument(help="file to be made: .ngram, .arpa or .arpa.gz")],
    *,
    quiet: Quiet = False,
) -> None:
    """Write n-grams in the format that the new file's name says.

    ARPA files are text that other programs read too; .ngram files are there at once.
    """
    from penstock.cli.bar import bar
    from penstock.counting.storage import check_name, load, save

    watch = partial(bar, quiet=quiet)
    check_name(file)
    if file.resolve() == model.resolve():
        raise ConfigError(f"{file}: expected another file than the model's own.")
    with watch(f"reading {model}") as told:
        found = load(model, progress=told)
    with watch(f"writing {file}") as told:
        save(found, file, progress=told)
    tokeniser_file(file).unlink(missing_ok=True)
    if tokeniser_file(model).is_file():
        shutil.copyfile(tokeniser_file(model), tokeniser_file(file))
    print(f"model in {file}")
