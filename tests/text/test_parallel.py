"""Tokenising in several processes: the same bytes, the same errors, nothing left running."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DataError
from penstock.text import Corpus, Tokeniser, parallel
from penstock.text.parallel import encoded, process_count

LINES = ["the cat sat", "", "the café  <unk>", "a dog 🐕 sat on the cat"]
BLOCKS = ["".join(f"{line} {n}\n" for line in LINES) * (1 + n % 3) for n in range(20)]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that is started."""
    started: list[subprocess.Popen[bytes]] = []
    start = parallel._start

    def noted(folder: str) -> subprocess.Popen[bytes]:
        started.append(start(folder))
        return started[-1]

    monkeypatch.setattr(parallel, "_start", noted)
    return started


@pytest.fixture
def long_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text of several blocks that passes for one worth two processes."""
    monkeypatch.setattr(parallel, "LONG", 1 << 20)
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    file = tmp_path / "text.txt"
    file.write_text("".join(f"{line} {n}\n" for n in range(70_000) for line in LINES))
    return file


@pytest.mark.parametrize("kind", sorted(Tokeniser.kinds))
def test_the_same_ids_and_counts_in_the_same_order(kind: str) -> None:
    size = 300 if kind in ("bpe", "unigram") else None
    tokeniser = Tokeniser.from_lines(LINES, kind, vocab_size=size)
    alone, together = (list(encoded(BLOCKS, tokeniser, number)) for number in (1, 2))
    assert len(alone) == len(together) == len(BLOCKS)
    for (ids, counts), (same_ids, same_counts) in zip(alone, together, strict=True):
        assert ids.dtype == same_ids.dtype
        assert np.array_equal(ids, same_ids)
        assert counts == same_counts


def test_a_corpus_made_by_two_processes(
    long_text: Path, tmp_path: Path, processes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokeniser = Tokeniser.from_lines(LINES)
    seen: list[tuple[int, int]] = []
    corpus = Corpus.build(
        long_text, tokeniser, tmp_path, "two", progress=lambda *state: seen.append(state)
    )
    assert len(processes) == 2
    monkeypatch.setattr(parallel, "LONG", 1 << 40)
    alone = Corpus.build(long_text, tokeniser, tmp_path, "one")
    assert len(processes) == 2
    for suffix in ("ids", "json"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (
            tmp_path / f"two.{suffix}"
        ).read_bytes()
    assert corpus.statistics == alone.statistics
    assert seen[-1] == (long_text.stat().st_size,) * 2
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("size", "vocab_size", "number"),
    [
        (parallel.LONG - 1, 10_000, 1),
        (1 << 40, 10_000, 8),
        (1 << 40, 500_000, 4),
        (1 << 40, 5_000_000, 1),
    ],
)
def test_how_many_processes(
    size: int, vocab_size: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel.os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert process_count(size, vocab_size) == number


def test_blocks_are_read_only_as_they_are_needed() -> None:
    read = 0

    def blocks() -> Iterator[str]:
        nonlocal read
        for block in BLOCKS:
            read += 1
            yield block

    parts = encoded(blocks(), Tokeniser.from_lines(LINES), 2)
    next(parts)
    assert read <= 5
    parts.close()


def test_leaving_early_ends_the_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    parts = encoded(BLOCKS, Tokeniser.from_lines(LINES), 2)
    next(parts)
    assert [process.poll() for process in processes] == [None, None]
    parts.close()
    assert None not in [process.poll() for process in processes]


def test_an_interrupt_leaves_no_process_and_no_file(
    long_text: Path, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        Corpus.build(long_text, Tokeniser.from_lines(LINES), folder, "x", progress=interrupt)
    assert len(processes) == 2
    assert None not in [process.poll() for process in processes]
    assert list(folder.iterdir()) == []


def test_a_bad_line_is_named_as_ever(
    long_text: Path, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    with long_text.open("ab") as file:
        file.write(b"the \xff\n")
    with pytest.raises(DataError, match=r"text\.txt:280001: expected UTF-8, got byte 0xff"):
        Corpus.build(long_text, Tokeniser.from_lines(LINES), tmp_path, "x")
    assert None not in [process.poll() for process in processes]


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PROGRAM", "import os; os._exit(3)")
    with pytest.raises(DataError, match=r"ended early \(status 3\)\. Make sure"):
        list(encoded(BLOCKS, Tokeniser.from_lines(LINES), 2))


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(DataError, match=r"cannot be started \(No such file"):
        list(encoded(BLOCKS, Tokeniser.from_lines(LINES), 2))


def test_a_process_needs_no_pytorch_and_ends_with_its_input(tmp_path: Path) -> None:
    Tokeniser.from_lines(LINES).save(tmp_path)
    program = parallel._PROGRAM + "; import sys; assert 'torch' not in sys.modules"
    command = [sys.executable, "-c", program, str(tmp_path)]
    answer = subprocess.run(command, input=b"", capture_output=True, check=True)
    assert answer.stdout == answer.stderr == b""
