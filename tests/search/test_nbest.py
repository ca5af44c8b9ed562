"""n-best lists in Moses' format, and rescoring."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError, DataError
from penstock.search import Entry, by_sentence, read_nbest, rescored, write_nbest
from penstock.search.nbest import with_feature

MOSES = (
    "0 ||| the house is small  ||| LexicalReordering0= -1.6 0 0 LM0= -21.5 ||| -3.25\n"
    "0 ||| the home is small  ||| LexicalReordering0= -1.9 0 0 LM0= -22 ||| -4e-1 ||| 0-0 1-1\n"
    "2 ||| | \u2028 ||| d: -1 lm: inf ||| -inf\n"
)


def test_reads_what_moses_writes(tmp_path):
    path = tmp_path / "list.gz"
    path.write_bytes(gzip.compress(MOSES.encode()))
    first, second, third = read_nbest(path)
    assert first == Entry(
        0,
        "the house is small",
        {"LexicalReordering0": (-1.6, 0.0, 0.0), "LM0": (-21.5,)},
        -3.25,
    )
    assert second.more == ("0-0 1-1",)
    assert third.text == "| \u2028"
    assert third.features == {"d": (-1.0,), "lm": (float("inf"),)}
    assert [len(each) for each in by_sentence(read_nbest(path))] == [2, 0, 1]
    assert [len(each) for each in by_sentence(read_nbest(path), 4)] == [2, 0, 1, 0]


number = st.floats(allow_nan=False)
name = st.text("abcLM_0", min_size=1, max_size=4)
words = st.text(st.characters(blacklist_characters="|\n", blacklist_categories=["Cs"]))
entries = st.builds(
    Entry,
    st.integers(0, 9),
    words.map(lambda text: text.strip(" ")),
    st.dictionaries(name, st.lists(number, min_size=1, max_size=3).map(tuple), max_size=3),
    number,
    st.lists(st.just("0-0 1-2"), max_size=1).map(tuple),
)


@given(entry=entries)
def test_what_is_written_reads_the_same(entry):
    assert Entry.parse(entry.line()) == entry


def test_written_files_read_the_same(tmp_path):
    path = tmp_path / "list"
    path.write_text(MOSES, encoding="utf-8")
    before = list(read_nbest(path))
    write_nbest(tmp_path / "again", before)
    assert list(read_nbest(tmp_path / "again")) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 ||| a ||| LM= -1", "expected 'number ||| text ||| features ||| score'"),
        ("x ||| a ||| LM= -1 ||| 2", "the number of a sentence, got 'x'"),
        ("-1 ||| a ||| LM= -1 ||| 2", "the number of a sentence, got '-1'"),
        ("0 ||| a ||| -1 ||| 2", "expected 'name= value ...', got '-1'"),
        ("0 ||| a ||| LM= x ||| 2", "a number, got 'x'"),
        ("0 ||| a ||| LM= nan ||| 2", "a number, got 'nan'"),
        ("0 ||| a ||| LM= 1 LM= 2 ||| 2", "each feature once, got 'LM' twice"),
        ("0 ||| a ||| LM= 1 ||| ", "a number, got ''"),
        ("", "got ''"),
    ],
)
def test_a_wrong_line_is_named(line, message, tmp_path):
    path = tmp_path / "list"
    path.write_text(f"0 ||| a ||| ||| 1\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        list(read_nbest(path))
    assert f"{path}:2: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["a ||| b", "a\nb"])
def test_what_cannot_be_written_is_refused_and_nothing_is_lost(text, tmp_path):
    path = tmp_path / "list"
    write_nbest(path, [Entry(0, "old")])
    with pytest.raises(DataError, match="without"):
        write_nbest(path, [Entry(0, "new"), Entry(0, text)])
    assert [entry.text for entry in read_nbest(path)] == ["old"]


def test_more_sentences_than_there_are():
    with pytest.raises(DataError, match="expected 2 sentences, got sentence 2"):
        by_sentence([Entry(2, "a")], 2)


def test_rescoring_by_hand():
    several = [
        Entry(0, "a", {"LM": (-1.0,), "TM": (-2.0, -3.0)}),
        Entry(0, "b", {"LM": (-2.0,), "TM": (-1.0, -1.0)}),
        Entry(0, "c", {"LM": (-1.0,), "TM": (-2.0, -3.0)}),
    ]
    scored = rescored(several, {"LM": 2.0, "TM": (1.0, 0.5)})
    assert [(entry.text, entry.score) for entry in scored] == [
        ("a", -5.5),
        ("b", -5.5),
        ("c", -5.5),
    ]
    longer = with_feature(several, "length", [1, 2, 4])
    best = rescored(longer, {"LM": 2.0, "TM": (1.0, 0.5), "length": 0.1})
    assert [entry.text for entry in best] == ["c", "b", "a"]
    assert best[0].score == pytest.approx(-5.1)


def test_a_weight_of_zero_forgives_the_impossible():
    (entry,) = rescored([Entry(0, "a", {"LM": (float("-inf"),)})], {"LM": 0.0})
    assert entry.score == 0.0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"LN0": 1.0}, "Did you mean 'LM0'"),
        ({"LM0": (1.0, 2.0)}, "expected 1 weights for 'LM0', got 2"),
    ],
)
def test_weights_that_do_not_fit(weights, message):
    with pytest.raises(ConfigError, match=message):
        rescored([Entry(0, "a", {"LM0": (1.0,)})], weights)


@pytest.mark.parametrize("wrong", ["", "a b", "a=", "a:", "|"])
def test_names_that_cannot_be_written(wrong):
    with pytest.raises(ConfigError, match="expected a name without"):
        with_feature([], wrong, [])
