"""Tokenisers: the same table of promises for every kind."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from penstock.errors import ConfigError, DataError
from penstock.text import Tokeniser

LINES = [
    "the cat sat on the mat",
    "",
    "  <unk> the dog, as ever, barked: <eos>!  ",
    "日本語 naïve café\x00\u2028end\ttab\x1cfile",
]
KINDS = sorted(Tokeniser.kinds)
MADE = {kind: Tokeniser.from_lines(LINES, kind) for kind in KINDS}
SPELT = ["bpe", "byte", "unigram"]
NUMBERED = ["character", "word"]
a_line = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)


def test_the_kinds() -> None:
    assert KINDS == ["bpe", "byte", "character", "unigram", "word"]


@pytest.mark.parametrize("kind", [*SPELT, "character"])
def test_training_text_comes_back(kind: str) -> None:
    tokeniser = MADE[kind]
    assert [tokeniser.decode(tokeniser.encode(line)) for line in LINES] == LINES
    text = "".join(line + "\n" for line in LINES)
    assert tokeniser.decode(tokeniser.encode_lines(LINES)) == text


@pytest.mark.parametrize("kind", SPELT)
@given(st.text())
def test_any_text_comes_back(kind: str, text: str) -> None:
    assert MADE[kind].decode(MADE[kind].encode(text)) == text


@given(st.text(st.sampled_from("the catsono日\x00\n")))
def test_any_text_of_known_characters_comes_back(text: str) -> None:
    assert MADE["character"].decode(MADE["character"].encode(text)) == text


@given(st.lists(st.lists(st.sampled_from(["the", "cat", "<unk>", "naïve"]))))
def test_known_words_come_back(lines: list[list[str]]) -> None:
    text = "".join(" ".join(line) + "\n" for line in lines)
    assert MADE["word"].decode(MADE["word"].encode(text)) == text


@pytest.mark.parametrize("kind", KINDS)
@given(st.one_of(a_line, st.lists(st.sampled_from(LINES)).map("".join)))
def test_the_library_gives_the_same_ids(kind: str, line: str) -> None:
    tokeniser = MADE[kind]
    assert tokeniser.encode(line) == tokeniser.library.encode(line).ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_ends_in_eos(kind: str) -> None:
    tokeniser = MADE[kind]
    expected = [id for line in LINES for id in [*tokeniser.encode(line), tokeniser.eos_id]]
    assert tokeniser.encode_lines(LINES).tolist() == expected
    assert tokeniser.encode_lines([]).tolist() == []
    assert tokeniser.encode("a\nb").count(tokeniser.eos_id) == 1


@pytest.mark.parametrize("kind", [*SPELT, "character"])
def test_eos_written_out_is_ordinary_text(kind: str) -> None:
    assert MADE[kind].eos_id not in MADE[kind].encode("a <eos> b")


@pytest.mark.parametrize("kind", KINDS)
def test_ids_number_the_tokens(kind: str) -> None:
    tokeniser = MADE[kind]
    assert len(tokeniser.tokens) == tokeniser.vocab_size
    assert tokeniser.encode_lines(LINES).dtype == np.min_scalar_type(tokeniser.vocab_size - 1)
    assert tokeniser.tokens[tokeniser.eos_id] == "<eos>"
    assert (tokeniser.unk_id is None) == (kind in SPELT)


def test_bytes_are_ids() -> None:
    tokeniser = MADE["byte"]
    assert tokeniser.vocab_size == 256
    assert tokeniser.encode_lines(["aé"]).tolist() == [0x61, 0xC3, 0xA9, 0x0A]
    assert [tokeniser.tokens[byte] for byte in (0x20, 0x61, 0xC3)] == [" ", "a", "\\xc3"]


def test_words_are_numbered_by_count_then_spelling() -> None:
    tokeniser = Tokeniser.from_lines(["c b a c", "b d <unk> <unk> <unk> <eos>"])
    assert tokeniser.tokens == ["<eos>", "<unk>", "b", "c", "a", "d"]
    assert tokeniser.encode("a zebra <unk> <eos>") == [4, 1, 1, 0]


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        ({"vocab_size": 3}, ["<eos>", "<unk>", "b"]),
        ({"min_count": 2}, ["<eos>", "<unk>", "b", "c"]),
        ({"min_count": 2, "vocab_size": 9}, ["<eos>", "<unk>", "b", "c"]),
    ],
)
@pytest.mark.parametrize("kind", NUMBERED)
def test_a_vocabulary_cut(kind: str, limits: dict[str, int], tokens: list[str]) -> None:
    lines = ["c b a c", "b d"] if kind == "word" else ["cbac", "bd"]
    tokeniser = Tokeniser.from_lines(lines, kind, **limits)
    assert tokeniser.tokens == tokens
    assert tokeniser.encode("d") == [tokeniser.unk_id]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_pieces_join_what_recurs(kind: str) -> None:
    lines = Path(__file__).read_text().split("\n")
    tokeniser = Tokeniser.from_lines(lines, kind, vocab_size=400)
    assert "token" in {token.strip() for token in tokeniser.tokens}
    assert 257 < tokeniser.vocab_size <= 400
    assert len(tokeniser.encode("tokeniser")) < len("tokeniser")


@pytest.mark.parametrize("kind", KINDS)
def test_training_again_gives_the_same_tokeniser(kind: str) -> None:
    words = sorted(set(Path(__file__).read_text().split()))
    lines = [" ".join(words[n : n + 9]) for n in range(0, len(words), 3)]
    prints = {Tokeniser.from_lines(lines, kind).fingerprint for _ in range(3)}
    assert len(prints) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded(kind: str, tmp_path: Path) -> None:
    MADE[kind].save(tmp_path / "model")
    for place in (tmp_path / "model", tmp_path / "model" / "tokenizer.json"):
        loaded = Tokeniser.load(place)
        assert (loaded.kind, loaded.fingerprint) == (kind, MADE[kind].fingerprint)
        assert (loaded.eos_id, loaded.unk_id) == (MADE[kind].eos_id, MADE[kind].unk_id)
        assert loaded.encode_lines(LINES).tolist() == MADE[kind].encode_lines(LINES).tolist()
    assert [file.name for file in (tmp_path / "model").iterdir()] == ["tokenizer.json"]


def test_lone_surrogates_are_no_traceback() -> None:
    for kind in KINDS:
        assert len(MADE[kind].encode("the \udcff")) >= 2


def foreign(model: models.Model, cutter: pre_tokenizers.PreTokenizer) -> str:
    library = Tokenizer(model)
    library.pre_tokenizer = cutter
    return library.to_str()


byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
FOREIGN = {
    "no JSON": ("nonsense", "expected a tokeniser's file"),
    "another JSON": (json.dumps({"a": 1}), "expected a tokeniser's file"),
    "another cut": (
        foreign(models.WordLevel({"a": 0}, unk_token="a"), pre_tokenizers.Whitespace()),
        "one of the kinds bpe, byte, character, unigram, word",
    ),
    "no <eos>": (foreign(models.BPE({"a": 0}, []), byte_level), "cannot place '<eos>'"),
    "not over bytes": (
        foreign(models.BPE({"<eos>": 0, "日": 1}, []), byte_level),
        "cannot place '日'",
    ),
}


@pytest.mark.parametrize(("text", "message"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_that_is_no_tokeniser_of_ours(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(DataError, match=message):
        Tokeniser.load(tmp_path)


def test_a_missing_tokeniser(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer\.json: expected a tokeniser's file"):
        Tokeniser.load(tmp_path)


MISTAKES = {
    "unknown kind": ("wrod", {}, "unknown kind 'wrod'. Did you mean 'word'?"),
    "too few words": ("word", {"vocab_size": 2}, "vocab_size of 3 at least for kind 'word'"),
    "too few pieces": ("bpe", {"vocab_size": 256}, "vocab_size of 257 at least for kind 'bpe'"),
    "no count": ("word", {"min_count": 0}, "min_count of 1 at least, got min_count=0"),
    "bytes cut": ("byte", {"vocab_size": 300}, "neither vocab_size nor min_count"),
    "unigram count": ("unigram", {"min_count": 2}, "no min_count for kind 'unigram'"),
}


@pytest.mark.parametrize(("kind", "limits", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(kind: str, limits: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Tokeniser.from_lines(LINES, kind, **limits)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"byte"}))
def test_a_text_without_tokens(kind: str) -> None:
    with pytest.raises(DataError, match="the text is empty"):
        Tokeniser.from_lines(["", ""], kind)


@pytest.mark.parametrize("kind", NUMBERED)
def test_nothing_frequent_enough(kind: str) -> None:
    with pytest.raises(DataError, match="min_count=9"):
        Tokeniser.from_lines(["a b"], kind, min_count=9)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"byte"}))
def test_bad_utf8_met_in_training(kind: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"good\nb\xffd\n")
    with pytest.raises(DataError, match=r"text:2: expected UTF-8, got byte 0xff"):
        Tokeniser.train(tmp_path / "text", kind)


def test_vocabulary_of_the_penn_treebank(ptb: Path) -> None:
    tokeniser = Tokeniser.train(ptb / "ptb.train.txt")
    words = Counter((ptb / "ptb.train.txt").read_text().split())
    assert tokeniser.vocab_size == 10_000
    assert set(tokeniser.tokens) == {*words, "<eos>"}
    counts = [words[token] for token in tokeniser.tokens[2:]]
    assert counts == sorted(counts, reverse=True)
