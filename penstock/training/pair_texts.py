"""The files of sentence pairs that a translator is trained and measured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.text import PairFiles

__all__ = ["PairTexts"]


@dataclass(frozen=True)
class PairTexts:
    """Pairs to learn from, to choose by, and to measure in the end.

    Attributes:
        links: files of word alignments of the training pairs, ``0-0 1-2 ...`` a line, by words.
    """

    train: PairFiles
    valid: PairFiles
    test: PairFiles | None = None
    links: Sequence[Path] = ()

    def parts(self) -> dict[str, PairFiles]:
        """Name to files, of those that are given."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {part: files for part, files in named.items() if files}

    def origin(self) -> dict[str, Any]:
        """What tells these texts from others: names, fields and sizes of what training reads.

        Raises:
            DataError: a file is missing, empty, or a folder.
        """
        for pairs in self.parts().values():
            pairs.files  # noqa: B018  # each is looked at, before hours are spent on the others
        found = {part: _named(pairs) for part, pairs in self.parts().items() if part != "test"}
        found["train"] += [[file.name, file.stat().st_size] for file in self.links]
        return found


def _named(pairs: PairFiles) -> list[list[Any]]:
    """Name and size of each file; the name tells the fields, which make other pairs of it."""
    fields = f":{','.join(pairs.fields)}" if pairs.fields else ""
    return [[file.name + fields, file.stat().st_size] for file in pairs.files]
