"""Reading files: lines, blocks, archives, and every mistake a file can hold."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DataError
from penstock.text import read_blocks, read_lines, resolve
from penstock.text.read import _decoded, _pieces

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
}


def written(folder: Path, data: bytes, name: str = "text.txt") -> Path:
    file = folder / name
    file.write_bytes(data)
    return file


LINES = {
    "the last line may lack its end": (b"a\nb", ["a", "b"]),
    "an empty line is a line": (b"a\n\n b \n", ["a", "", " b "]),
    "carriage returns before line ends go": (b"a\r\nb\rc\r\n", ["a", "b\rc"]),
    "so does a byte order mark": (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
    "other line separators stay": (
        "a\u2028b\x00c\x0bd\x0ce\x85f\x1eg\n".encode(),
        ["a\u2028b\x00c\x0bd\x0ce\x85f\x1eg"],
    ),
}


@pytest.mark.parametrize(("data", "lines"), LINES.values(), ids=LINES.keys())
@pytest.mark.parametrize("suffix", PACK)
def test_lines(tmp_path: Path, suffix: str, data: bytes, lines: list[str]) -> None:
    file = written(tmp_path, PACK[suffix](data), "text.txt" + suffix)
    assert list(read_lines(file)) == lines


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    files = [written(tmp_path, b"a", "1.txt"), written(tmp_path, gzip.compress(b"b\n"), "2.gz")]
    assert list(read_lines(files)) == ["a", "b"]
    assert resolve(str(files[0])) == [files[0]]


@given(st.text(st.sampled_from("ab é\n"), min_size=1, max_size=60), st.integers(1, 9))
def test_blocks_join_to_the_text_whatever_their_size(text: str, size: int) -> None:
    blocks = list(_decoded(_pieces(io.BytesIO(text.encode()), size), Path("text")))
    assert "".join(blocks) == (text if text.endswith("\n") else text + "\n")


def test_a_long_line_comes_in_pieces_cut_before_a_space(tmp_path: Path) -> None:
    file = written(tmp_path, b"one two three four\nfive\n")
    blocks = list(read_blocks(file, size=8))
    assert "".join(blocks) == "one two three four\nfive\n"
    assert len(blocks) > 2
    assert all(block.startswith((" ", "one", "five")) for block in blocks)


def test_lines_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    line = "word " * 500_000
    assert list(read_lines(written(tmp_path, f"a\n{line}\nb\n".encode()))) == ["a", line, "b"]


@pytest.mark.parametrize("suffix", PACK)
def test_progress_ends_at_the_size_of_all_files(tmp_path: Path, suffix: str) -> None:
    data = PACK[suffix](b"some text\n" * 300_000)
    files = [written(tmp_path, data, f"{n}{suffix}") for n in "12"]
    seen: list[tuple[int, int]] = []
    list(read_blocks(files, progress=lambda done, total: seen.append((done, total))))
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == (2 * len(data), 2 * len(data))


BAD_UTF8 = {
    "in the first line": (b"a\xff\n", 1, 0xFF),
    "in a later line": (b"a\nb\nc \xe9t\xe9\n", 3, 0xE9),
    "cut short at the end": (b"a\nb\xc3", 2, 0xC3),
    "after a byte order mark": (b"\xef\xbb\xbfa\n\xff\n", 2, 0xFF),
    "beyond the first block": (b"line\n" * 300_000 + b"\x80\n", 300_001, 0x80),
}


@pytest.mark.parametrize(("data", "line", "byte"), BAD_UTF8.values(), ids=BAD_UTF8.keys())
def test_bad_utf8_is_named_by_line_and_byte(
    tmp_path: Path, data: bytes, line: int, byte: int
) -> None:
    file = written(tmp_path, data)
    with pytest.raises(DataError) as caught:
        list(read_lines(file))
    assert str(caught.value) == (
        f"{file}:{line}: expected UTF-8, got byte 0x{byte:02x}. Save the file as UTF-8."
    )


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_an_archive_cut_short(tmp_path: Path, suffix: str, keep: float) -> None:
    packed = PACK[suffix](bytes(range(32, 127)) * 400 + b"\n")
    file = written(tmp_path, packed[: int(len(packed) * keep)], "text" + suffix)
    with pytest.raises(DataError, match="damaged or cut short"):
        list(read_lines(file))


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_an_archive_that_is_none(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match="damaged or cut short"):
        list(read_lines(written(tmp_path, b"plain text\n", "text" + suffix)))


@pytest.mark.parametrize("suffix", PACK)
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path, PACK[suffix](b""), "text" + suffix)
    with pytest.raises(DataError, match="the file is empty"):
        list(read_lines(file))


def test_all_mistakes_are_named_together(tmp_path: Path) -> None:
    written(tmp_path, b"a\n", "train.txt")
    with pytest.raises(DataError) as caught:
        resolve([tmp_path, tmp_path / "trian.txt", tmp_path / "none" / "x"])
    folder, missing, nowhere = str(caught.value).split("\n")
    assert folder == f"{tmp_path}: expected a text file, got a folder. Name the files in it."
    assert missing == f"{tmp_path / 'trian.txt'}: no such file. Did you mean 'train.txt'?"
    assert nowhere == f"{tmp_path / 'none' / 'x'}: no such file."


def test_no_file_at_all() -> None:
    with pytest.raises(DataError, match="one file at least"):
        resolve([])
