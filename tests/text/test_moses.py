"""Moses' words and marks, against what the toolkit's own script answers."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacremoses import MosesTokenizer

from penstock.text.moses import Moses


def test_as_the_perl_script_of_moses(moses_truth: Path) -> None:
    truth = (moses_truth / "truth.txt").read_text(encoding="utf-8").split("\n")
    found = [
        Moses.of(language).tokenise(line)
        for language in ("cs", "de", "en", "es", "fr", "ru")
        for line in (moses_truth / f"{language}.txt").read_text(encoding="utf-8").split("\n")[:10]
    ]
    assert found == [html.unescape(line).strip() for line in truth[:60]]


@pytest.mark.parametrize("language", ["en", "fr", "de", "xx"])
@given(st.text(st.sampled_from("aZé1 .,'\"-?(&\u2028\t日"), max_size=30))
def test_the_quick_ways_change_nothing(language: str, line: str) -> None:
    expected = MosesTokenizer(language).tokenize(line, escape=False, return_str=True)
    assert Moses.of(language).tokenise(line) == expected


ROUND = {
    "en": "He said: \"It's Dr. Smith's (second) dog, isn't it?\" 3,500 people agreed!",
    "de": "Ein kleines Mädchen, das 3.500 Euro hat, ruft: „Nein!“",
    "fr": "L'homme d'hier n'a pas mangé.",
}


@pytest.mark.parametrize(("language", "line"), ROUND.items())
def test_put_together_again(language: str, line: str) -> None:
    moses = Moses.of(language)
    assert moses.detokenise(moses.tokenise(line)) == line


def test_typographic_marks_made_plain() -> None:
    assert Moses.of("en").normalise("“It’s” – fine…") == '"It\'s" - fine...'


def test_control_characters_are_dropped() -> None:
    assert Moses.of("en").tokenise("a\x00b \x07\u2028 c\rd") == "ab c d"
