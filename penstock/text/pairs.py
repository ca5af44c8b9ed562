"""Sentence pairs from files: two aligned files, columns of a table, or JSON lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from penstock.errors import ConfigError, DataError
from penstock.progress import Progress
from penstock.text.pair_lines import Pair, parsed, reader, short
from penstock.text.read import Paths, read_lines, resolve

__all__ = ["Pair", "PairFiles", "read_pairs"]


@dataclass(frozen=True)
class PairFiles:
    """Where sentence pairs come from; iterating reads them, each time anew.

    A line ends at ``\\n`` and nowhere else, see :mod:`penstock.text.read`; each file may be packed
    as ``.gz`` or ``.xz``.

    Attributes:
        src: files of source lines; or, without ``tgt``, files of pairs: ``.tsv``, or JSON lines
            in a ``.jsonl``.
        tgt: files of target lines, as many; line i belongs to line i of ``src``.
        fields: where a pair stands in a line of a file of pairs: numbers of the columns, from 1,
            or keys of the JSON object ("translation.de" for a key inside another).  By default the
            first two columns, or the keys "src" and "tgt".
    """

    src: Paths
    tgt: Paths | None = None
    fields: tuple[str, str] | None = None

    def __iter__(self) -> Iterator[Pair]:
        return self.read()

    @property
    def files(self) -> list[Path]:
        """Every file, sources first; each checked to be a file with something in it.

        Raises:
            DataError: when one cannot be read; all are named together.
        """
        return resolve([*_several(self.src), *_several(self.tgt or ())])

    def read(self, progress: Progress | None = None) -> Iterator[Pair]:
        """The pairs in the order of the files.

        Args:
            progress: called with the bytes read and the bytes there are, of the sources where
                they have files of their own.

        Raises:
            ConfigError: when the format of a file, or its fields, cannot be told.
            DataError: for a file that cannot be read, files of different length, or a line without
                a pair; of these the first few are named together.
        """
        files = self.files
        if self.tgt is None:
            readers = [partial(parsed, file, reader(file, self.fields)) for file in files]
            return _in_turn(files, readers, progress)
        if self.fields:
            raise ConfigError(
                f"pairs: expected no fields for two aligned files, got fields={self.fields}."
            )
        half = len(_several(self.src))
        if 2 * half != len(files):
            raise ConfigError(
                "pairs: expected as many target files as source files, "
                f"got {half} and {len(files) - half}."
            )
        pairs = zip(files[:half], files[half:], strict=True)
        return _in_turn(files[:half], [partial(_side_by_side, *both) for both in pairs], progress)


def read_pairs(
    src: Paths,
    tgt: Paths | None = None,
    *,
    fields: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Pair]:
    """The sentence pairs of the files, see :class:`PairFiles` and :meth:`PairFiles.read`."""
    return PairFiles(src, tgt, fields).read(progress)


def _several(paths: Paths) -> list[Path]:
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [Path(path) for path in several]


def _in_turn(
    files: list[Path],
    readers: Sequence[Callable[[Progress], Iterator[Pair]]],
    progress: Progress | None,
) -> Iterator[Pair]:
    """What the readers of the files find; each tells how far it is in its own file."""
    sizes = [file.stat().st_size for file in files]
    for index, read in enumerate(readers):

        def told(done: int, _: int, before: int = sum(sizes[:index])) -> None:
            if progress:
                progress(before + done, sum(sizes))

        yield from read(told)


# -- two aligned files ---------------------------------------------------------------------------


def _side_by_side(src: Path, tgt: Path, progress: Progress) -> Iterator[Pair]:
    lines = read_lines(src, progress=progress), read_lines(tgt)
    lone = 0
    for number, (left, right) in enumerate(zip_longest(*lines), 1):
        if left is None or right is None:
            counts = [
                number - (line is None) + sum(1 for _ in rest)
                for line, rest in zip((left, right), lines, strict=True)
            ]
            raise _different_length((src, tgt), counts, left or right or "", lone)
        if not lone and bool(left.strip()) != bool(right.strip()):
            lone = number
        yield left, right


def _different_length(
    files: tuple[Path, Path], counts: list[int], text: str, lone: int
) -> DataError:
    longer = files[counts[1] > counts[0]]
    first = min(counts) + 1
    hint = f" Line {lone} is empty in one of them only: the shift may begin there." if lone else ""
    return DataError(
        f"{longer}:{first}: expected files of the same length, got {counts[0]:,} lines in "
        f"{files[0]} and {counts[1]:,} in {files[1]}; the first line without a partner is "
        f"{short(text)!r}.{hint} Align them line by line."
    )
