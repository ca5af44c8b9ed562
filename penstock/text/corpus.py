"""A text as the ids of its tokens: made once, kept in a file, read through a memory map."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from penstock.errors import DataError
from penstock.files import open_atomic
from penstock.progress import Progress
from penstock.text.kept import checksum, origin
from penstock.text.parallel import encoded, process_count
from penstock.text.read import Paths, read_blocks, resolve
from penstock.text.statistics import Statistics
from penstock.text.tokenise import Ids, Tokeniser

__all__ = ["Corpus", "Statistics"]

_FORMAT = 1


class Corpus:
    """The ids of a text, and what it holds.

    Attributes:
        ids: (tokens,), in the smallest unsigned type that holds the vocabulary.
        statistics: counts of the text.
    """

    def __init__(self, ids: Ids, statistics: Statistics) -> None:
        self.ids = ids
        self.statistics = statistics

    @classmethod
    def build(
        cls,
        paths: Paths,
        tokeniser: Tokeniser,
        folder: str | Path,
        name: str,
        *,
        progress: Progress | None = None,
    ) -> Corpus:
        """The text of the files, from ``folder/name.ids`` if that was made from them as they are.

        Otherwise the text is streamed, tokenised (a long one by several processes) and kept there,
        with ``folder/name.json`` telling what it was made from (names, sizes and times of the
        files, the tokeniser's fingerprint) and a checksum, so that a damaged file is made anew.
        One caller at a time may build.

        Args:
            progress: called after each block with the bytes read and the bytes there are.

        Raises:
            DataError: for a file that cannot be read, or a folder that cannot be written.
        """
        files = resolve(paths)
        wanted = _origin(files, tokeniser)
        store, header = Path(folder) / f"{name}.ids", Path(folder) / f"{name}.json"
        if kept := cls._kept(store, header, wanted):
            return kept
        statistics, crc = _written(store, files, tokeniser, progress)
        made = wanted | {"checksum": crc, "statistics": asdict(statistics)}
        with open_atomic(header) as stream:
            stream.write(json.dumps(made, indent=2).encode())
        return cls(np.memmap(store, tokeniser.dtype, "r"), statistics)

    @classmethod
    def from_lines(cls, lines: Iterable[str], tokeniser: Tokeniser) -> Corpus:
        """A small text, in memory.

        >>> lines = ["a rose is", "a rose"]
        >>> Corpus.from_lines(lines, Tokeniser.from_lines(lines)).ids
        array([2, 3, 4, 0, 2, 3, 0], dtype=uint8)
        """
        text = "".join(line + "\n" for line in lines)
        ids = tokeniser.encode_text(text)
        return cls(ids, Statistics.of(text, ids, tokeniser))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unknown(self) -> int:
        """Tokens that are ``<unk>``."""
        return self.statistics.unknown

    def check_known(self, name: str) -> Corpus:
        """This corpus, if the vocabulary knows any of its tokens besides ``<eos>``.

        Args:
            name: what the text is called in the message, a path for one.

        Raises:
            DataError: when every token is unknown.
        """
        if self.unknown and self.unknown + self.statistics.lines == len(self):
            raise DataError(
                f"{name}: expected tokens of the vocabulary, got {self.unknown:,} unknown ones and "
                "no other. Is it in the language, case and spelling of the training text?"
            )
        return self

    @classmethod
    def _kept(cls, store: Path, header: Path, wanted: dict[str, Any]) -> Corpus | None:
        """The corpus kept before, if it is whole and made from what is wanted now."""
        try:
            found = json.loads(header.read_bytes())
            statistics = Statistics(**found.pop("statistics"))
            expected = found.pop("checksum")
            ids = np.memmap(store, wanted["dtype"], "r")
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        whole = len(ids) == statistics.tokens and checksum(store) == expected
        return cls(ids, statistics) if whole and found == wanted else None


def _origin(files: list[Path], tokeniser: Tokeniser) -> dict[str, Any]:
    """What the ids depend on."""
    return {
        "format": _FORMAT,
        "sources": origin(files),
        "tokeniser": tokeniser.fingerprint,
        "dtype": tokeniser.dtype.name,
    }


def _written(
    store: Path, files: list[Path], tokeniser: Tokeniser, progress: Progress | None
) -> tuple[Statistics, int]:
    """Write the ids of the files to ``store``; what the text holds, and the checksum of the ids."""
    statistics, crc = Statistics(), 0
    processes = process_count(sum(file.stat().st_size for file in files), tokeniser.vocab_size)
    parts = encoded(read_blocks(files, progress=progress), tokeniser, processes)
    with open_atomic(store) as stream, closing(parts):
        for ids, counts in parts:
            statistics += counts
            crc = zlib.crc32(ids.data, crc)
            stream.write(ids.data)
    return statistics, crc
