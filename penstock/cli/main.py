"""``penstock VERB ...``: the program."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, NoReturn, TextIO

import typer
from typer.exceptions import Abort, TyperException

from penstock.cli import (
    cells,
    compare,
    convert,
    evaluate,
    generate,
    inspect,
    quickstart,
    score,
    train,
    translate,
)
from penstock.errors import PenstockError, PenstockWarning

__all__ = ["app", "main"]

MISTAKE, INTERRUPTED = 2, 130
app = typer.Typer(
    name="penstock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"penstock {version('penstock')}")
        raise typer.Exit


@app.callback()
def penstock(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    """Recurrent sequence models of language, written as their equations."""


app.command("cells")(cells.cells)
app.add_typer(train.app, name="train")
app.command("evaluate")(evaluate.evaluate)
app.command("generate")(generate.generate)
app.command("score")(score.score)
app.command("translate")(translate.translate)
app.command("compare")(compare.compare)
app.command("convert")(convert.convert)
app.add_typer(inspect.app, name="inspect")
app.command("quickstart")(quickstart.quickstart)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program; a user's mistake is one line on stderr and exit status 2.

    Args:
        arguments: those of the command line when not given.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may lack a letter of the text; files and pipes are UTF-8, as stdin is.
            encoding = None if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="replace")
    with warnings.catch_warnings():
        warnings.simplefilter("always", PenstockWarning)
        warnings.showwarning = _tell
        status = _status(arguments)
    sys.exit(status)


def _tell(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning without the line of the program that it comes from."""
    print(f"penstock: {message}", file=sys.stderr)


def _status(arguments: Sequence[str] | None) -> int:
    """Run the verb; what it ended with."""
    try:
        status: int = app(arguments, prog_name="penstock", standalone_mode=False) or 0
        sys.stdout.flush()
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # as typer answers to a pipe
        # The reader has gone (``| head``): there is nothing more to say, even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not (message := _message(error)):
            raise
        print(message, file=sys.stderr)
        return MISTAKE
    return status


def _message(error: Exception) -> str:
    """What to tell a user whose mistake or machine it was, or an empty text."""
    message = ""
    if isinstance(error, TyperException):
        message = error.format_message()
    elif isinstance(error, PenstockError):
        message = str(error)
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        message = f"{place}{error.strerror or error}. Check the path and its permissions."
    elif isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        message = "the memory is used up. Take a smaller model, batch, k1 or k2."
    return message if not message or message.startswith("Usage:") else f"penstock: {message}"
