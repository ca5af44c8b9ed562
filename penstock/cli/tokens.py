"""The tokens of a model that stands already, for a new one to take over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import flags
from penstock.errors import ConfigError
from penstock.scoring.counted import open_counted
from penstock.scoring.scorer import is_ngram

if TYPE_CHECKING:
    from penstock.text import Tokeniser

__all__ = ["TokensOf", "taken_over"]

TokensOf = Annotated[
    Path | None,
    typer.Option(metavar="MODEL", help="take this model's tokens, a translator's target's"),
]
TARGET = "target"


def taken_over(path: Path, given: dict[str, Any]) -> Tokeniser:
    """The tokeniser of a model, or of the target of a translator; ``given`` tells of it then.

    Args:
        path: folder of a model, file of n-grams, or ``tokenizer.json``.
        given: settings given beside it.

    Raises:
        ConfigError: a setting given says what the tokens are to be.
        DataError: there is no such model, or its tokeniser is damaged.
    """
    from penstock.text import Prepared, SentenceTokeniser, Tokeniser

    if own := [name for name in ("tokens", "vocab_size", "min_count") if name in given]:
        raise ConfigError(
            f"train: expected no {flags(own)} with --tokeniser, which says what the tokens are."
        )
    if (path / f"{TARGET}.json").is_file():
        tokeniser: Tokeniser = Prepared(SentenceTokeniser.load(path, TARGET))
    elif is_ngram(path) and path.suffix != ".json":
        tokeniser = open_counted(path).tokeniser
    else:
        tokeniser = Tokeniser.load(path)
    given |= {"tokens": tokeniser.kind, "vocab_size": tokeniser.vocab_size}
    return tokeniser
