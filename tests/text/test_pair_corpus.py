"""The corpus of pairs: what it keeps, when it is reused, when it is made anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DataError
from penstock.text import (
    Cleaning,
    Counts,
    PairCorpus,
    PairFiles,
    Preparation,
    SentenceTokeniser,
)
from penstock.text import pair_corpus as module

PAIRS = [
    ("ein Haus", "a house"),
    ("", "nothing"),
    ("ein  Hund \u2028 !", "a dog !"),
    ("ein Haus", "a house"),
    ("ein", "a " * 12),
]
NONE = Preparation("none")
TOKENISERS = tuple(
    SentenceTokeniser.train(side, "word", preparation=NONE) for side in zip(*PAIRS, strict=True)
)
assert len(TOKENISERS) == 2


@pytest.fixture
def files(tmp_path: Path) -> PairFiles:
    for side, name in enumerate(("a.de", "a.en")):
        text = "".join(pair[side] + "\n" for pair in PAIRS)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return PairFiles(tmp_path / "a.de", tmp_path / "a.en")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the stores that were written, in order."""
    names: list[str] = []
    original = module._write

    def counted(stores: list[Path], chunks: object) -> None:
        names.append(stores[0].name)
        original(stores, chunks)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write", counted)
    return names


def sentences(corpus: PairCorpus) -> list[tuple[list[int], list[int]]]:
    return [(corpus.src[row].tolist(), corpus.tgt[row].tolist()) for row in range(len(corpus))]


def encoded(pairs: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    src, tgt = TOKENISERS
    return [([*src.encode(a), 0], [*tgt.encode(b), 0]) for a, b in pairs]


@pytest.mark.parametrize("chunk", [1, 2, 5, 8192])
def test_every_pair_is_there(
    files: PairFiles, tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    corpus = PairCorpus.build(files, TOKENISERS, tmp_path, "valid")
    assert sentences(corpus) == encoded(PAIRS)
    assert sentences(PairCorpus.from_pairs(PAIRS, TOKENISERS)) == encoded(PAIRS)
    assert corpus.lines.tolist() == [0, 1, 2, 3, 4]
    assert corpus.lengths.tolist() == [[len(a), len(b)] for a, b in encoded(PAIRS)]
    assert corpus.counts == Counts(kept=5)


@pytest.mark.parametrize("chunk", [1, 2, 8192])
def test_cleaning_keeps_the_line_numbers(
    files: PairFiles, tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    corpus = PairCorpus.build(files, TOKENISERS, tmp_path, "train", cleaning=Cleaning())
    assert sentences(corpus) == encoded([PAIRS[0], PAIRS[2]])
    assert corpus.lines.tolist() == [0, 2]
    assert corpus.counts == Counts(kept=2, empty=1, ratio=1, duplicate=1)


def test_reused_while_nothing_changes(files: PairFiles, tmp_path: Path, builds: list[str]) -> None:
    first = PairCorpus.build(files, TOKENISERS, tmp_path, "train", cleaning=Cleaning())
    again = PairCorpus.build(files, TOKENISERS, tmp_path, "train", cleaning=Cleaning())
    assert builds == ["train.src.ids"]
    assert sentences(first) == sentences(again)
    assert first.counts == again.counts
    assert {file.name for file in tmp_path.iterdir()} == {
        *("a.de", "a.en"),
        *("train.src.ids", "train.tgt.ids", "train.rows", "train.pairs.json"),
    }


def _flip(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[1] ^= 1
    (folder / name).write_bytes(data)


CHANGES: dict[str, Callable[[Path], object]] = {
    "text of another time": lambda folder: os.utime(folder / "a.en", ns=(0, 0)),
    "source ids flipped": lambda folder: _flip(folder, "train.src.ids"),
    "target ids flipped": lambda folder: _flip(folder, "train.tgt.ids"),
    "rows flipped": lambda folder: _flip(folder, "train.rows"),
    "rows cut": lambda folder: os.truncate(folder / "train.rows", 8),
    "ids gone": lambda folder: (folder / "train.tgt.ids").unlink(),
    "header gone": lambda folder: (folder / "train.pairs.json").unlink(),
    "another header": lambda folder: (folder / "train.pairs.json").write_text("[1]"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_made_anew_when_something_changed(
    files: PairFiles, tmp_path: Path, builds: list[str], change: Callable[[Path], object]
) -> None:
    PairCorpus.build(files, TOKENISERS, tmp_path, "train")
    change(tmp_path)
    assert sentences(PairCorpus.build(files, TOKENISERS, tmp_path, "train")) == encoded(PAIRS)
    assert len(builds) == 2


def test_made_anew_for_other_rules_and_tokenisers(
    files: PairFiles, tmp_path: Path, builds: list[str]
) -> None:
    PairCorpus.build(files, TOKENISERS, tmp_path, "train")
    PairCorpus.build(files, TOKENISERS, tmp_path, "train", cleaning=Cleaning())
    other = SentenceTokeniser.train(["x"], "byte")
    corpus = PairCorpus.build(files, (other, other), tmp_path, "train", cleaning=Cleaning())
    assert len(builds) == 3
    assert corpus.src.ids.dtype == np.uint8


def test_a_bad_text_leaves_what_was_there(files: PairFiles, tmp_path: Path) -> None:
    PairCorpus.build(files, TOKENISERS, tmp_path, "train")
    before = {file: file.read_bytes() for file in tmp_path.glob("train.*")}
    (tmp_path / "b.en").write_text("a\n")
    with pytest.raises(DataError, match="files of the same length"):
        PairCorpus.build(
            PairFiles(tmp_path / "a.de", tmp_path / "b.en"), TOKENISERS, tmp_path, "train"
        )
    assert before == {file: file.read_bytes() for file in tmp_path.glob("train.*")}


def test_nothing_to_keep(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\tb\nc\t\n")
    for _ in range(2):
        with pytest.raises(DataError, match="kept 0 of 2 pairs: left out 2 with an empty side"):
            PairCorpus.build(
                PairFiles(tmp_path / "a.tsv"), TOKENISERS, tmp_path, "x", cleaning=Cleaning()
            )
    with pytest.raises(DataError, match="kept 0 of 0 pairs"):
        PairCorpus.from_pairs([], TOKENISERS)


def test_progress_reaches_the_end(files: PairFiles, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    PairCorpus.build(files, TOKENISERS, tmp_path, "x", progress=lambda *state: seen.append(state))
    size = (tmp_path / "a.de").stat().st_size
    assert seen == [(size, size)]


def test_tatoeba_columns_swapped(tatoeba: Path, tmp_path: Path) -> None:
    files = PairFiles(tatoeba / "deu-eng.valid.tsv", fields=("2", "1"))
    tokenisers = SentenceTokeniser.train_joint(
        files,
        vocab_size=2000,
        preparations=(Preparation("marks", language="de"), Preparation("marks")),
    )
    corpus = PairCorpus.build(files, tokenisers, tmp_path, "valid")
    pairs = list(files)
    assert len(corpus) == len(pairs) > 1000
    assert [tokenisers[0].decode(corpus.src[n]) for n in range(99)] == [a for a, _ in pairs[:99]]
    assert [tokenisers[1].decode(corpus.tgt[n]) for n in range(99)] == [b for _, b in pairs[:99]]
