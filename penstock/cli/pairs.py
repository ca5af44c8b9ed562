"""Files of sentence pairs on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.text import PairFiles

__all__ = ["Fields", "SourceFiles", "TargetFiles", "pair_files"]

SourceFiles = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="source lines, or pairs (.tsv, .jsonl); .gz, .xz; repeatable"
    ),
]
TargetFiles = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="target lines, as many as there are of the source"),
]
Fields = Annotated[
    str, typer.Option(metavar="A,B", help="columns or keys of a file of pairs [1,2 or src,tgt]")
]


def pair_files(
    src: Sequence[Path] | None, tgt: Sequence[Path] | None, fields: str = ""
) -> PairFiles | None:
    """The pairs of the files, if any are named.

    Raises:
        ConfigError: targets without sources, or fields that are not two.
    """
    from penstock.text import PairFiles

    if not src:
        if tgt:
            raise ConfigError(f"pairs: expected the sources of {tgt[0]}. Name them beside it.")
        return None
    parts = [part.strip() for part in fields.split(",")] if fields else []
    if len(parts) not in (0, 2):
        raise ConfigError(f"pairs: expected fields as two, A,B, got {fields!r}.")
    named = (parts[0], parts[1]) if parts and not tgt else None
    return PairFiles(list(src), list(tgt) if tgt else None, named)
