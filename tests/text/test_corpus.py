"""The corpus: what it counts, when it is reused, when it is made anew."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DataError
from penstock.text import Corpus, Statistics, Tokeniser, read_lines
from penstock.text import corpus as module

LINES = ["the cat sat", "", "the café  <unk>"]
WORDS = Tokeniser.from_lines(LINES)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
    return file


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were written, in order."""
    names: list[str] = []
    original = module._written

    def counted(store: Path, *rest: object) -> object:
        names.append(store.name)
        return original(store, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_written", counted)
    return names


@pytest.mark.parametrize(
    ("kind", "tokens", "unknown"), [("word", 9, 1), ("character", 29, 0), ("byte", 30, 0)]
)
def test_statistics_counted_by_hand(
    text: Path, tmp_path: Path, kind: str, tokens: int, unknown: int
) -> None:
    tokeniser = Tokeniser.from_lines(LINES, kind)
    expected = Statistics(tokens=tokens, lines=3, words=6, characters=29, bytes=30, unknown=unknown)
    corpus = Corpus.build(text, tokeniser, tmp_path / "run", "train")
    assert corpus.statistics == Corpus.from_lines(LINES, tokeniser).statistics == expected
    assert (len(corpus), corpus.unknown) == (tokens, unknown)


@pytest.mark.parametrize("kind", sorted(Tokeniser.kinds))
def test_ids_are_those_of_the_lines(text: Path, tmp_path: Path, kind: str) -> None:
    tokeniser = Tokeniser.from_lines(LINES, kind)
    corpus = Corpus.build(text, tokeniser, tmp_path, "train")
    assert isinstance(corpus.ids, np.memmap)
    assert corpus.ids.dtype == tokeniser.dtype
    assert corpus.ids.tolist() == tokeniser.encode_lines(LINES).tolist()


@pytest.mark.parametrize("kind", ["word", "byte", "character"])
def test_blocks_join_without_a_seam(tmp_path: Path, kind: str) -> None:
    line = "the cat  sat <unk> " * 80_000
    (tmp_path / "text").write_text(f"{line}\n" + "the cat sat\n" * 200_000 + line)
    tokeniser = Tokeniser.from_lines(LINES, kind)
    whole = tokeniser.encode_lines(read_lines(tmp_path / "text"))
    corpus = Corpus.build(tmp_path / "text", tokeniser, tmp_path, "seam")
    assert np.array_equal(corpus.ids, whole)
    assert corpus.statistics.lines == 200_002


@pytest.mark.parametrize(
    ("size", "dtype"), [(254, "uint8"), (65_534, "uint16"), (65_535, "uint32")]
)
def test_the_smallest_type_that_holds_the_vocabulary(size: int, dtype: str) -> None:
    words = [f"w{n}" for n in range(size)]
    corpus = Corpus.from_lines(words, Tokeniser.from_lines(words))
    assert corpus.ids.dtype == dtype
    assert sorted(set(corpus.ids.tolist())) == [0, *range(2, size + 2)]


def test_reused_while_nothing_changes(text: Path, tmp_path: Path, builds: list[str]) -> None:
    first = Corpus.build(text, WORDS, tmp_path, "train")
    again = Corpus.build(text, WORDS, tmp_path, "train")
    assert builds == ["train.ids"]
    assert again.statistics == first.statistics
    assert again.ids.tolist() == first.ids.tolist()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "text.txt",
        "train.ids",
        "train.json",
    ]


def _touch(text: Path, folder: Path) -> None:
    os.utime(text, ns=(0, 0))


def _flip(text: Path, folder: Path) -> None:
    data = bytearray((folder / "train.ids").read_bytes())
    data[2] ^= 1
    (folder / "train.ids").write_bytes(data)


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "text of another time": _touch,
    "ids with a bit flipped": _flip,
    "ids cut short": lambda text, folder: os.truncate(folder / "train.ids", 3),
    "ids empty": lambda text, folder: os.truncate(folder / "train.ids", 0),
    "ids gone": lambda text, folder: (folder / "train.ids").unlink(),
    "header gone": lambda text, folder: (folder / "train.json").unlink(),
    "header cut short": lambda text, folder: os.truncate(folder / "train.json", 40),
    "header of another kind": lambda text, folder: (folder / "train.json").write_text("[1]"),
    "header without counts": lambda text, folder: (folder / "train.json").write_text("{}"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_made_anew_when_something_changed(
    text: Path, tmp_path: Path, builds: list[str], change: Callable[[Path, Path], object]
) -> None:
    Corpus.build(text, WORDS, tmp_path, "train")
    change(text, tmp_path)
    corpus = Corpus.build(text, WORDS, tmp_path, "train")
    assert len(builds) == 2
    assert corpus.ids.tolist() == WORDS.encode_lines(LINES).tolist()


def test_made_anew_for_another_tokeniser(text: Path, tmp_path: Path, builds: list[str]) -> None:
    Corpus.build(text, WORDS, tmp_path, "train")
    other = Tokeniser.from_lines(LINES, vocab_size=3)
    assert Corpus.build(text, other, tmp_path, "train").unknown == 4
    assert len(builds) == 2


def test_made_anew_for_another_text(text: Path, tmp_path: Path) -> None:
    Corpus.build(text, WORDS, tmp_path, "train")
    with text.open("a") as file:
        file.write("sat\n")
    assert len(Corpus.build(text, WORDS, tmp_path, "train")) == 11
    (tmp_path / "more.gz").write_bytes(gzip.compress(b"the\n"))
    assert len(Corpus.build([text, tmp_path / "more.gz"], WORDS, tmp_path, "train")) == 13


def test_a_bad_text_leaves_what_was_there(text: Path, tmp_path: Path) -> None:
    Corpus.build(text, WORDS, tmp_path / "run", "train")
    before = {file: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"the\n\xff\n")
    with pytest.raises(DataError, match=r"bad\.txt:2: "):
        Corpus.build(bad, WORDS, tmp_path / "run", "train")
    assert before == {file: file.read_bytes() for file in (tmp_path / "run").iterdir()}


def test_a_full_disk_leaves_what_was_there(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"train\.ids: cannot be written, no space left"):
        Corpus.build(text, WORDS, tmp_path / "run", "train")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_is_a_file(text: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        Corpus.build(text, WORDS, text, "train")


def test_progress_reaches_the_end(text: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    size = text.stat().st_size
    Corpus.build(text, WORDS, tmp_path, "x", progress=lambda *state: seen.append(state))
    assert seen == [(size, size)]


def test_a_text_that_shares_nothing_with_the_vocabulary() -> None:
    known = Corpus.from_lines(["le chat", "the"], WORDS)
    assert known.check_known("test.txt") is known
    foreign = Corpus.from_lines(["le chat", "noir"], WORDS)
    with pytest.raises(DataError, match=r"test\.txt: expected tokens of the vocabulary, got 3"):
        foreign.check_known("test.txt")


@pytest.mark.parametrize(
    ("split", "tokens"), [("train", 929_589), ("valid", 73_760), ("test", 82_430)]
)
def test_tokens_of_the_penn_treebank(ptb: Path, tmp_path: Path, split: str, tokens: int) -> None:
    tokeniser = Tokeniser.train(ptb / "ptb.train.txt")
    corpus = Corpus.build(ptb / f"ptb.{split}.txt", tokeniser, tmp_path, split)
    literal = (ptb / f"ptb.{split}.txt").read_text().split().count("<unk>")
    assert (len(corpus), corpus.unknown) == (tokens, literal)
