"""Sentence pairs as the ids of their tokens: made once, kept in files, read through memory maps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from penstock.errors import DataError
from penstock.files import open_atomic, write_atomic
from penstock.progress import Progress
from penstock.text.cleaning import Cleaner, Cleaning, Counts
from penstock.text.kept import checksum, origin
from penstock.text.pairs import Pair, PairFiles
from penstock.text.sentence import SentenceTokeniser
from penstock.text.tokenise import Ids

__all__ = ["PairCorpus", "Side"]

_FORMAT = 1
_CHUNK = 8192
"""Pairs encoded at a time."""
Rows = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""(N + 1, 3): where each pair starts in the source ids and in the target ids, and its line."""
Tokenisers = tuple[SentenceTokeniser, SentenceTokeniser]


@dataclass(frozen=True)
class Side:
    """The sentences of one side.

    Attributes:
        ids: ids of all sentences, ``<eos>`` after each.
        starts: (N + 1,), where in ``ids`` each sentence starts.
        tokeniser: what made the ids.
    """

    ids: Ids
    starts: np.ndarray[Any, np.dtype[np.int64]]
    tokeniser: SentenceTokeniser

    def __getitem__(self, row: int) -> Ids:
        """Ids of one sentence, ``<eos>`` at its end."""
        return self.ids[self.starts[row] : self.starts[row + 1]]


class PairCorpus:
    """The ids of sentence pairs.

    Attributes:
        src, tgt: the sides.
        lines: (N,), the line of each pair in its files, from 0 and over all files: which links or
            raw references belong to it.
        lengths: (N, 2), tokens of each sentence, source and target, ``<eos>`` counted.
        counts: what cleaning kept and left out.
    """

    def __init__(
        self, sides: tuple[Ids, Ids], rows: Rows, tokenisers: Tokenisers, counts: Counts
    ) -> None:
        self.src, self.tgt = (
            Side(ids, rows[:, side], tokeniser)
            for side, (ids, tokeniser) in enumerate(zip(sides, tokenisers, strict=True))
        )
        self.lines = rows[:-1, 2]
        self.lengths = np.diff(rows[:, :2], axis=0)
        self.counts = counts

    def __len__(self) -> int:
        return len(self.lines)

    @classmethod
    def build(
        cls,
        pairs: PairFiles,
        tokenisers: Tokenisers,
        folder: str | Path,
        name: str,
        *,
        cleaning: Cleaning | None = None,
        progress: Progress | None = None,
    ) -> PairCorpus:
        """The pairs of the files, from ``folder`` if they were kept there as they are now.

        Otherwise the files are streamed, encoded and kept in ``NAME.src.ids``, ``NAME.tgt.ids`` and
        ``NAME.rows``; ``NAME.pairs.json`` tells what they were made from, with checksums, so that
        damaged ones are made anew.  One caller at a time may build.

        Args:
            cleaning: which pairs are left out, lengths counted in tokens; None keeps all, those
                with an empty side too, as a validation set needs.
            progress: called after each block with the bytes read and the bytes there are.

        Raises:
            DataError: for files that :meth:`PairFiles.read` refuses, pairs none of which is kept,
                or a folder that cannot be written.
        """
        wanted = {
            "format": _FORMAT,
            "sources": origin(pairs.files),
            "fields": list(pairs.fields) if pairs.fields else None,
            "tokenisers": [tokeniser.fingerprint for tokeniser in tokenisers],
            "cleaning": asdict(cleaning) if cleaning else None,
        }
        stores = [Path(folder) / f"{name}.{part}" for part in ("src.ids", "tgt.ids", "rows")]
        header = Path(folder) / f"{name}.pairs.json"
        counts = _kept(stores, header, wanted)
        if counts is None:
            cleaner = Cleaner(cleaning)
            _write(stores, _encoded(pairs.read(progress), tokenisers, cleaner))
            counts = cleaner.counts
            made = {"counts": asdict(counts), "checksums": [checksum(store) for store in stores]}
            write_atomic(header, json.dumps(wanted | made, indent=2).encode())
        if not counts.kept:
            raise _nothing_kept(counts)
        src, tgt = (
            np.asarray(np.memmap(store, tokeniser.tokeniser.dtype, "r"))
            for store, tokeniser in zip(stores, tokenisers, strict=False)
        )
        rows = np.memmap(stores[2], np.int64, "r").reshape(-1, 3)
        return cls((src, tgt), rows, tokenisers, counts)

    @classmethod
    def from_pairs(
        cls, pairs: Iterable[Pair], tokenisers: Tokenisers, *, cleaning: Cleaning | None = None
    ) -> PairCorpus:
        """A few pairs, in memory."""
        cleaner = Cleaner(cleaning)
        chunks = list(_encoded(pairs, tokenisers, cleaner))
        if not cleaner.counts.kept:
            raise _nothing_kept(cleaner.counts)
        src, tgt, rows = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        return cls((src, tgt), rows, tokenisers, cleaner.counts)


def _nothing_kept(counts: Counts) -> DataError:
    return DataError(f"pairs: expected a pair to keep, {counts}. Give other text or other rules.")


def _kept(stores: list[Path], header: Path, wanted: dict[str, Any]) -> Counts | None:
    """The counts of what was kept before, if it is whole and made from what is wanted now."""
    try:
        found = json.loads(header.read_bytes())
        counts = Counts(**found.pop("counts"))
        whole = found.pop("checksums") == [checksum(store) for store in stores]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return counts if whole and found == wanted else None


def _write(stores: list[Path], chunks: Iterable[tuple[Ids, Ids, Rows]]) -> None:
    with ExitStack() as stack:
        streams: list[BinaryIO] = [stack.enter_context(open_atomic(store)) for store in stores]
        for chunk in chunks:
            for stream, part in zip(streams, chunk, strict=True):
                stream.write(np.ascontiguousarray(part).data)


def _encoded(
    pairs: Iterable[Pair], tokenisers: Tokenisers, cleaner: Cleaner
) -> Iterator[tuple[Ids, Ids, Rows]]:
    """Ids of both sides and rows of the pairs kept, chunk by chunk; the last row has the totals."""
    pairs = iter(pairs)
    line, start = 0, np.zeros(2, np.int64)
    while chunk := list(islice(pairs, _CHUNK)):
        src, tgt = (
            tokeniser.encode_lines(side)
            for tokeniser, side in zip(tokenisers, zip(*chunk, strict=True), strict=True)
        )
        kept = [n for n, pair in enumerate(zip(src, tgt, strict=True)) if _keeps(cleaner, *pair)]
        lengths = np.array([(len(src[n]), len(tgt[n])) for n in kept], np.int64).reshape(-1, 2)
        stops = start + lengths.cumsum(0)
        rows = np.column_stack([stops - lengths, line + np.array(kept, np.int64)])
        yield _joined(src, kept), _joined(tgt, kept), rows
        line, start = line + len(chunk), start + lengths.sum(0)
    no_ids = (np.zeros(0, tokeniser.tokeniser.dtype) for tokeniser in tokenisers)
    yield *no_ids, np.array([[*start, line]], np.int64)  # type: ignore[misc]


def _keeps(cleaner: Cleaner, src: Ids, tgt: Ids) -> bool:
    content = b"".join((src.tobytes(), tgt.tobytes(), len(src).to_bytes(8)))
    return cleaner.keeps(len(src) - 1, len(tgt) - 1, content)


def _joined(sentences: list[Ids], kept: list[int]) -> Ids:
    return np.concatenate([sentences[0][:0], *(sentences[n] for n in kept)])
