"""Demands read from a file, and in a model's tokens."""

from __future__ import annotations

import pytest

from penstock.errors import DataError
from penstock.text import Preparation, SentenceTokeniser
from penstock.translation.demands import Demand, Tokens, in_tokens, read_demands


def test_one_a_line(tmp_path):
    file = tmp_path / "demands.jsonl"
    file.write_text('{"prefix": "the", "must": ["red dog"]}\n\n{"must_not": ["a", "b c"]}\n{}\n')
    assert read_demands(file) == [
        Demand("the", ["red dog"]),
        Demand(),
        Demand(must_not=["a", "b c"]),
        Demand(),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nope", "expected a JSON object, got 'nope' "),
        ('["a"]', "expected a JSON object, got"),
        ('{"prefx": "a"}', "got 'prefx'. Did you mean 'prefix'?"),
        ('{"prefix": ["a"]}', "expected prefix as a text, got ['a']"),
        ('{"must": "a"}', "expected must as a list of texts, got 'a'"),
        ('{"must_not": [1]}', "expected must_not as a list of texts, got [1]"),
        ('{"must": [" "]}', "expected phrases of must with text in them, got [' ']"),
    ],
)
def test_what_is_no_demand(tmp_path, line, said):
    file = tmp_path / "demands.jsonl"
    file.write_text(f"{{}}\n{line}\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_demands(file)
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{file}:2: ")
    assert second.startswith(f"{file}:3: ")
    assert said in first


def test_in_the_tokens_of_words():
    words = SentenceTokeniser.train(["the red dog"], "word", preparation=Preparation("none"))
    the, red, dog = words.encode("the red dog")
    demand = Demand("the red", ["dog", "red dog", "dog"], ["dog the", "a cat"])
    found = in_tokens(demand, words)
    assert found == Tokens([the, red], [[dog], [red, dog]], [[dog, the]])
    assert (found.least, found.size) == (3, 5)
    assert in_tokens(Demand(must=["a"]), words) is None
    assert in_tokens(Demand(prefix="the cat"), words) is None


def test_pieces_begin_with_the_space_before_their_word():
    lines = ["the red dog", "a red dog"] * 20
    plain = Preparation("none")
    pieces = SentenceTokeniser.train(lines, "bpe", vocab_size=280, preparation=plain)
    found = in_tokens(Demand("a", ["red dog"]), pieces)
    line = pieces.encode("a red dog")
    assert line == [*found.prefix, *found.must[0]]
