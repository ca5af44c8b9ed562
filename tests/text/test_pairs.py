"""Sentence pairs: the same pairs from every format, and what is said of files that are wrong."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.errors import ConfigError, DataError
from penstock.text import Pair, PairFiles, read_pairs

PAIRS = [
    ("Ein Haus.", "A house."),
    ("", "empty\u2028here"),
    ("a\x0bb\x0cc\x85d\re", "\x00 naïve 日本"),
]


def text(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def tsv(pairs: list[Pair]) -> bytes:
    return text(["\t".join(pair) for pair in pairs])


def records(pairs: list[Pair]) -> bytes:
    return text([json.dumps({"src": src, "tgt": tgt}) for src, tgt in pairs])


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(("suffix", "written"), [(".tsv", tsv), (".jsonl", records)])
def test_pairs_of_one_file(
    tmp_path: Path, packed: str, suffix: str, written: Callable[[list[Pair]], bytes]
) -> None:
    file = tmp_path / f"pairs{suffix}{packed}"
    file.write_bytes(PACKED[packed](written(PAIRS)))
    assert list(read_pairs(file)) == PAIRS
    assert list(read_pairs([file, file])) == PAIRS * 2


@pytest.mark.parametrize("packed", PACKED)
def test_pairs_of_two_files(tmp_path: Path, packed: str) -> None:
    files = tmp_path / f"a.de{packed}", tmp_path / "a.en"
    files[0].write_bytes(PACKED[packed](text([src for src, _ in PAIRS])))
    files[1].write_bytes(text([tgt for _, tgt in PAIRS]))
    pairs = PairFiles(*files)
    assert list(pairs) == list(pairs) == PAIRS
    assert list(read_pairs([files[0]] * 2, [files[1]] * 2)) == PAIRS * 2


def test_fields_choose_columns_and_keys(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"en\tde\tnote\n")
    assert list(read_pairs(tmp_path / "a.tsv", fields=("2", "1"))) == [("de", "en")]
    (tmp_path / "a.jsonl").write_text('{"translation": {"de": "ein", "en": "a"}}\n')
    fields = "translation.de", "translation.en"
    assert list(read_pairs(tmp_path / "a.jsonl", fields=fields)) == [("ein", "a")]


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\n" * 5)
    (tmp_path / "b").write_text("yy\n" * 5)
    seen: list[tuple[int, int]] = []
    both = [tmp_path / "a"] * 2, [tmp_path / "b"] * 2
    list(read_pairs(*both, progress=lambda *state: seen.append(state)))
    assert seen == [(10, 20), (20, 20)]


def test_files_of_different_length(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("eins\n\ndrei\nvier\nfünf\n", encoding="utf-8")
    (tmp_path / "a.en").write_text("one\ntwo\n")
    with pytest.raises(DataError) as caught:
        list(read_pairs(tmp_path / "a.de", tmp_path / "a.en"))
    message = str(caught.value)
    assert f"{tmp_path / 'a.de'}:3: " in message
    assert "5 lines" in message
    assert "2 in" in message
    assert "'drei'" in message
    assert "Line 2 is empty in one of them only" in message
    with pytest.raises(DataError, match=r"a\.de:3: .* 2 lines in .*a\.en and 5 in"):
        list(read_pairs(tmp_path / "a.en", tmp_path / "a.de"))


def test_several_missing_files_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.de", tmp_path / "a.en")
    assert str(caught.value).count("no such file") == 2


def test_wrong_encoding_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_bytes("gut\nschön\n".encode("latin-1"))
    (tmp_path / "a.en").write_text("good\nfine\n")
    with pytest.raises(DataError, match=r"a\.de:2: expected UTF-8, got byte 0xf6"):
        list(read_pairs(tmp_path / "a.de", tmp_path / "a.en"))


def test_bad_lines_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\nlone\nc\td\nalone\n" + "x\n" * 9)
    with pytest.raises(DataError) as caught:
        list(read_pairs(tmp_path / "a.tsv"))
    lines = str(caught.value).split("\n")
    assert len(lines) == 5
    assert "a.tsv:2: expected 2 columns between tabs, got 1 in 'lone'" in lines[0]
    assert "a.tsv:4: " in lines[1]


RECORDS = {
    "no JSON": ("ein Haus", "expected a JSON object, got 'ein Haus'"),
    "no object": ("[1]", "expected an object with 'src'"),
    "no such key": ('{"src": "a", "tgd": "b"}', "expected key 'tgt', got src, tgd. Did you mean"),
    "no text": ('{"src": "a", "tgt": 3}', "expected a text for 'tgt', got '3'"),
    "too deep": ("[" * 100_000, "too deep"),
}


@pytest.mark.parametrize(("line", "message"), RECORDS.values(), ids=RECORDS.keys())
def test_records_that_hold_no_pair(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError) as caught:
        list(read_pairs(tmp_path / "a.jsonl"))
    assert "a.jsonl:1: " in str(caught.value)
    assert message in str(caught.value)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    for name in ("a.txt", "a.tsv"):
        (tmp_path / name).write_text("a\tb\n")
    lone, table = tmp_path / "a.txt", tmp_path / "a.tsv"
    with pytest.raises(ConfigError, match=r"expected a \.tsv or \.jsonl"):
        read_pairs(lone)
    with pytest.raises(ConfigError, match="no fields for two aligned files"):
        read_pairs(lone, table, fields=("1", "2"))
    with pytest.raises(ConfigError, match="numbers of two columns, from 1"):
        read_pairs(table, fields=("0", "2"))
    with pytest.raises(ConfigError, match="as many target files as source files, got 1 and 2"):
        read_pairs(lone, [lone, table])
