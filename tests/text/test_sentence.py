"""Raw sentences to ids and back: one table of promises for every kind and preparation."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError, DataError
from penstock.text import BPE, Preparation, SentenceTokeniser, Tokeniser

LINES = [
    "Two young, White males are outside near many bushes.",
    "A man in a blue shirt isn't on a ladder; he's cleaning a window!",
    "Ein kleines Mädchen klettert in ein 3.500 Euro teures Spielhaus.",
]
SPELT = ["bpe", "byte", "unigram"]
KINDS = sorted(Tokeniser.kinds)
NONE, MARKS = Preparation("none"), Preparation("marks")
MADE = {kind: SentenceTokeniser.train(LINES, kind, preparation=NONE) for kind in KINDS}
RAW = {kind: SentenceTokeniser.train(LINES, kind) for kind in KINDS}
CUT = {kind: SentenceTokeniser.train(LINES, kind, preparation=MARKS) for kind in ("bpe", "unigram")}
EVERY = [*MADE.values(), *RAW.values(), *CUT.values()]
a_line = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize("tokeniser", EVERY, ids=lambda t: f"{t.tokeniser.kind}-{t.preparation}")
def test_training_lines_come_back(tokeniser: SentenceTokeniser) -> None:
    assert [tokeniser.decode(tokeniser.encode(line)) for line in LINES] == LINES
    assert tokeniser.encode("") == []
    assert tokeniser.decode([]) == ""


@pytest.mark.parametrize("tokeniser", [*(MADE[kind] for kind in SPELT), *CUT.values()])
@given(a_line)
def test_any_line_comes_back(tokeniser: SentenceTokeniser, line: str) -> None:
    assert tokeniser.decode(tokeniser.encode(line)) == line


@given(st.lists(st.sampled_from(" ".join(LINES).split())))
def test_known_words_come_back(words: list[str]) -> None:
    line = " ".join(words)
    assert MADE["word"].decode(MADE["word"].encode(line)) == line


@given(st.text(st.sampled_from(sorted(set("".join(LINES))))))
def test_known_characters_come_back(line: str) -> None:
    assert MADE["character"].decode(MADE["character"].encode(line)) == line


@pytest.mark.parametrize("tokeniser", EVERY)
@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(["<eos>", "a <eos> b", "\n"]))))
def test_many_lines_are_each_by_itself(tokeniser: SentenceTokeniser, lines: list[str]) -> None:
    found = tokeniser.encode_lines(lines)
    assert [ids.tolist() for ids in found] == [
        [*tokeniser.encode(line), tokeniser.eos_id] for line in lines
    ]


@pytest.mark.parametrize("tokeniser", EVERY)
@given(st.text(max_size=40))
def test_a_line_holds_no_end_and_stays_one_line(tokeniser: SentenceTokeniser, line: str) -> None:
    ids = tokeniser.encode(line)
    assert tokeniser.eos_id not in ids
    assert "\n" not in tokeniser.decode(ids)


@pytest.mark.parametrize("tokeniser", EVERY)
@given(data=st.data())
def test_whatever_a_model_says_is_one_line(
    tokeniser: SentenceTokeniser, data: st.DataObject
) -> None:
    some_id = st.integers(0, tokeniser.vocab_size - 1)
    ids = data.draw(st.lists(some_id, max_size=20))
    assert "\n" not in tokeniser.decode(ids)
    cut = ids[: ids.index(tokeniser.eos_id)] if tokeniser.eos_id in ids else ids
    assert tokeniser.decode(np.array(ids, np.int64)) == tokeniser.decode(cut)


@pytest.mark.parametrize("tokeniser", EVERY)
def test_tokens_belong_to_words(tokeniser: SentenceTokeniser) -> None:
    for line in LINES:
        words, ids = tokeniser.words(line), tokeniser.encode(line)
        numbers = tokeniser.word_numbers(ids)
        joined = [""] * len(words)
        for token, number in zip(tokeniser.tokens(line), numbers, strict=True):
            joined[number] += token
        whole = [word.strip(" ") for word in joined]
        assert all(a == b for a, b in zip(whole, words, strict=True) if b.isascii())
        assert sorted(set(numbers)) == list(range(len(words)))


def test_words_with_double_spaces_keep_their_numbers() -> None:
    tokeniser = MADE["bpe"]
    assert tokeniser.words("a  b") == ["a", "", "b"]
    assert tokeniser.word_numbers(tokeniser.encode("a  b")) == [0, 1, 2]
    assert tokeniser.words("") == []


def test_words_and_marks_are_apart() -> None:
    assert RAW["bpe"].words(LINES[1])[:5] == ["A", "man", "in", "a", "blue"]
    assert RAW["bpe"].words("It's Mr. Fox.") == ["It", "'s", "Mr.", "Fox", "."]


def test_no_piece_crosses_a_space_nor_marks() -> None:
    lines = ["the cat, the cat, the cat-flap"] * 9
    spaced = SentenceTokeniser.train(lines, preparation=NONE)
    assert spaced.tokens(lines[0]) == [" the", " cat,", " the", " cat,", " the", " cat-flap"]
    cut = SentenceTokeniser.train(lines, preparation=MARKS)
    assert cut.tokens(lines[0])[:4] == [" the", " cat", ",", " the"]


def test_the_first_word_is_spelt_as_any_other() -> None:
    ids = MADE["bpe"].encode("blue A blue")
    assert ids[0] == ids[-1]


def test_prepared_lower_case_and_plain() -> None:
    preparation = Preparation("moses", lowercase=True, normalise=True)
    tokeniser = SentenceTokeniser.train(["IT’S “GOOD”"], "word", preparation=preparation)
    assert tokeniser.words("IT’S “GOOD”") == ["it", "'s", '"', "good", '"']
    assert tokeniser.decode(tokeniser.encode("IT’S “GOOD”")) == 'it\'s "good"'


def test_an_unknown_word() -> None:
    for kind in ("word", "character"):
        tokeniser = RAW[kind]
        assert tokeniser.encode("日") == [tokeniser.unk_id]
    assert RAW["word"].encode("<eos>") == [1, 1, 1]
    assert MADE["word"].encode("man <eos> man")[1] == MADE["word"].unk_id
    assert MADE["bpe"].unk_id is None


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_eos_written_out_is_never_the_end(kind: str) -> None:
    tokeniser = SentenceTokeniser.train(["a<eos> <eos><eos>"] * 9, kind, preparation=NONE)
    assert tokeniser.decode(tokeniser.encode("a<eos>b")) == "a<eos>b"


def test_five_thousand_words() -> None:
    line = "the cat sat. On Mr. X's " * 1000
    for tokeniser in (RAW["bpe"], RAW["word"], MADE["character"]):
        assert len(tokeniser.encode(line)) >= 5000
    assert MADE["byte"].decode(MADE["byte"].encode(line)) == line


def test_bpe_dropout_spells_the_same_line() -> None:
    tokeniser = SentenceTokeniser.train(LINES * 2, vocab_size=400)
    samples = {tuple(tokeniser.encode(LINES[0], 0.3, Random(seed))) for seed in range(9)}
    assert len(samples) > 5
    assert {tokeniser.decode(ids) for ids in samples} == {LINES[0]}


def test_one_vocabulary_for_both_sides() -> None:
    pairs = [("Das ist Mr. Fox.", "C'est M. Fox."), ("Ein Hund", "un chien")]
    src, tgt = SentenceTokeniser.train_joint(
        pairs,
        "word",
        preparations=(Preparation(language="de"), Preparation(language="fr", lowercase=True)),
    )
    assert src.tokeniser is tgt.tokeniser
    assert {"Hund", "chien", "c'", "Das"} <= set(src.tokeniser.tokens)
    assert src.fingerprint != tgt.fingerprint
    assert tgt.decode(tgt.encode("C'est un chien.")) == "c'est un chien."


def test_the_ends() -> None:
    for tokeniser in EVERY:
        assert tokeniser.bos_id == tokeniser.eos_id
        assert tokeniser.tokeniser.tokens[tokeniser.eos_id] == "<eos>"


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokeniser", EVERY)
def test_saved_and_loaded(tokeniser: SentenceTokeniser, tmp_path: Path) -> None:
    tokeniser.save(tmp_path, "src")
    loaded = SentenceTokeniser.load(tmp_path, "src")
    assert loaded.fingerprint == tokeniser.fingerprint
    assert loaded.preparation == tokeniser.preparation
    assert type(loaded.tokeniser) is type(tokeniser.tokeniser)
    assert [loaded.encode(line) for line in LINES] == [tokeniser.encode(line) for line in LINES]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["src.json", "src.tokenizer.json"]


def _change(folder: Path) -> None:
    MADE["word"].tokeniser.save(folder / "src.tokenizer.json")


DAMAGES = {
    "settings gone": (lambda folder: (folder / "src.json").unlink(), r"src\.json: expected a"),
    "settings cut": (lambda folder: (folder / "src.json").write_text("{"), r"src\.json: expected"),
    "other settings": (lambda folder: (folder / "src.json").write_text("[]"), r"src\.json: exp"),
    "unknown option": (
        lambda folder: (folder / "src.json").write_text(
            json.dumps({"preparation": {"pretokenise": "mose"}, "tokeniser": ""})
        ),
        "Did you mean 'moses'",
    ),
    "vocabulary gone": (
        lambda folder: (folder / "src.tokenizer.json").unlink(),
        r"src\.tokenizer\.json: expected a tokeniser's file",
    ),
    "vocabulary changed": (_change, r"src\.tokenizer\.json: expected the tokeniser it was saved"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_folder_with_a_damaged_tokeniser(tmp_path: Path, damage: object, message: str) -> None:
    RAW["bpe"].save(tmp_path, "src")
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        SentenceTokeniser.load(tmp_path, "src")


# -- mistakes ------------------------------------------------------------------------------------


def test_preparations_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"unknown pretokenise 'mozes'. Did you mean 'moses'"):
        Preparation("mozes")
    with pytest.raises(ConfigError, match="kind 'bpe' or 'unigram' for pretokenise='marks'"):
        SentenceTokeniser.train(LINES, "word", preparation=MARKS)
    with pytest.raises(ConfigError, match="both sides of a joint vocabulary"):
        SentenceTokeniser.train_joint([("a", "b")], preparations=(NONE, MARKS))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="the text is empty"):
        SentenceTokeniser.train(["", "\u2028"])


# -- real text -----------------------------------------------------------------------------------


def test_multi30k_comes_back(multi30k: Path) -> None:
    tokenised = (multi30k / "tok" / "val.lc.norm.tok.de").read_text(encoding="utf-8").split("\n")
    tokeniser = SentenceTokeniser.train(tokenised, vocab_size=3000, preparation=NONE)
    assert isinstance(tokeniser.tokeniser, BPE)
    assert [tokeniser.decode(ids) for ids in tokeniser.encode_lines(tokenised)] == tokenised
    words = [word for line in tokenised for word in line.split()]
    assert sum(len(tokeniser.encode(line)) for line in tokenised) < 1.5 * len(words)


@pytest.mark.parametrize(("language", "least"), [("en", 0.99), ("de", 0.98), ("fr", 0.97)])
def test_most_raw_lines_of_multi30k_come_back_through_moses(
    multi30k: Path, language: str, least: float
) -> None:
    lines = (multi30k / "raw" / f"val.{language}").read_text(encoding="utf-8").split("\n")
    lines = [" ".join(line.split(" ")) for line in lines]
    tokeniser = SentenceTokeniser.train(
        lines, vocab_size=3000, preparation=Preparation(language=language)
    )
    same = sum(tokeniser.decode(tokeniser.encode(line)) == line for line in lines)
    assert same > least * len(lines)
