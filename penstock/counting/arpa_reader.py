"""Reading ARPA files: those of KenLM, SRILM and IRSTLM, plain or packed.

What those programs do differently is taken as meant: no backoff (1), a log probability above 0 (1,
with a warning), -99 (probability 0), ``<UNK>``, n-grams whose beginning is not listed (it has the
probability that backing off gives it), numbers in any notation, any white space between columns.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from penstock.counting.arpa_build import Entries, build
from penstock.counting.arpa_entries import read_entries
from penstock.counting.arpa_lines import Lines, shown
from penstock.counting.counts import MAX_ORDER
from penstock.counting.model import NGramModel
from penstock.counting.vocabulary import BOS, EOS, UNK, Vocabulary, first_repeat
from penstock.progress import Progress

__all__ = ["NO_UNK", "read_arpa"]

NO_UNK = -100.0
"""log10 p of an unknown word where the file has no ``<unk>``: KenLM's choice."""
_SIZE = re.compile(rb"ngram\s+(\d{1,4})\s*=\s*(\d{1,15})")


def read_arpa(path: Path, *, progress: Progress | None = None) -> NGramModel:
    """The model in an ARPA file.

    A file without ``<unk>`` gives unknown words log10 p = -100, as KenLM does.

    Raises:
        DataError: the file cannot be read or is no ARPA file; the line is named.
    """
    with Lines(path, progress) as lines:
        sizes, line = _sizes(lines)
        _expect(lines, line, b"\\1-grams:")
        entries = [read_entries(lines, 1, sizes[0], len(sizes) == 1, None)]
        vocabulary, words = _vocabulary(lines, entries[0])
        line = lines.filled()
        for order, size in enumerate(sizes[1:], 2):
            _expect(lines, line, b"\\%d-grams:" % order)
            entries.append(read_entries(lines, order, size, order == len(sizes), words))
            line = lines.filled()
        _expect(lines, line, b"\\end\\")
        if lines.filled() is not None:
            raise lines.fail("expected nothing after \\end\\.")
    return build(vocabulary, entries, path)


def _sizes(lines: Lines) -> tuple[list[int], bytes | None]:
    """How many n-grams of each order the head promises, and the line after it."""
    line = lines.filled()
    while line is not None and line.startswith(b"#"):
        line = lines.filled()
    if line is not None and line.removeprefix(b"\xef\xbb\xbf") != b"\\data\\":
        hint = "Is it an ARPA file?"
        if line[:5] in (b"iARPA", b"qARPA", b"blmt ", b"Qblmt"):
            hint = "IRSTLM's own format: convert it with 'compile-lm --text yes'."
        raise lines.fail(f"expected \\data\\, got {shown(line)}. {hint}")
    sizes: list[int] = []
    line = lines.filled()
    while line is not None and (match := _SIZE.fullmatch(line)):
        if int(match[1]) != len(sizes) + 1:
            raise lines.fail(f"expected 'ngram {len(sizes) + 1}=', got {shown(line)}.")
        sizes.append(int(match[2]))
        line = lines.filled()
    if not 1 <= len(sizes) <= MAX_ORDER:
        raise lines.fail(f"expected 'ngram 1=' and so on up to {MAX_ORDER}, got {shown(line)}.")
    return sizes, line


def _expect(lines: Lines, line: bytes | None, wanted: bytes) -> None:
    if line != wanted:
        more = " Are there more n-grams than the head says?" if line and line[:1] != b"\\" else ""
        raise lines.fail(f"expected {wanted.decode()}, got {shown(line)}.{more}")


def _vocabulary(lines: Lines, section: Entries) -> tuple[Vocabulary, dict[bytes, int]]:
    """The vocabulary of the 1-grams, which get their ids, and the id of every word as spelt."""
    names = [_name(word) for word in section.spelling]
    if (at := first_repeat(names)) is not None:
        raise lines.fail(f"expected {names[at]!r} once.", section.line + at)
    for mark in (BOS, EOS):
        if mark not in names:
            raise lines.fail(f"expected {mark} among the 1-grams. The model was made without.")
    vocabulary = Vocabulary(name for name in names if name not in (BOS, EOS, UNK))
    ids = {**vocabulary.ids, BOS: vocabulary.bos_id}
    words = {spelt: ids[name] for spelt, name in zip(section.spelling, names, strict=True)}
    if UNK not in names:
        section.log_p = np.append(section.log_p, np.float32(NO_UNK))
        section.backoff = np.append(section.backoff, np.float32(0))
        names.append(UNK)
    section.words = np.array([[ids[name]] for name in names], np.int64)
    return vocabulary, words


def _name(spelt: bytes) -> str:
    return UNK if spelt == b"<UNK>" else spelt.decode("utf-8", "surrogateescape")
