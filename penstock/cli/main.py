"""``penstock VERB ...``: the program."""

from __future__ import annotations

import os
import sys

import typer
from typer.exceptions import Abort, TyperException

from penstock.cli import cells, evaluate, generate, quickstart, score, train
from penstock.errors import PenstockError

__all__ = ["app", "main"]

app = typer.Typer(
    name="penstock",
    help="Recurrent sequence models of language, written as their equations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("cells")(cells.cells)
app.add_typer(train.app, name="train")
app.command("evaluate")(evaluate.evaluate)
app.command("generate")(generate.generate)
app.command("score")(score.score)
app.command("quickstart")(quickstart.quickstart)


def main() -> None:
    """Run the program; a user's mistake is one line on stderr and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except PenstockError as error:
        status = _complain(str(error))
    except TyperException as error:
        status = _complain(error.format_message())
    except (KeyboardInterrupt, Abort):
        status = 130
    except BrokenPipeError:
        # The reader has gone (``| head``): nothing more to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def _complain(message: str) -> int:
    print(f"penstock: {message}", file=sys.stderr)
    return 2
