"""BPE-dropout against algorithm 1 of Provilkov et al. 2020, worked out by enumeration."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.text import Preparation, SentenceTokeniser
from penstock.text.dropout import BPEDropout
from penstock.text.pieces import BPE
from penstock.text.tokenise import Tokeniser

LINES = [" unrelated related relate lately", " unlated über die Brücke 日本 日本"] * 3
MADE = Tokeniser.from_lines(LINES, "bpe", vocab_size=340, spaced=True)
assert isinstance(MADE, BPE)
words = st.text(st.sampled_from("unrelatdüb日 "), max_size=30)


def spelling_probabilities(word: str, p: float) -> dict[tuple[str, ...], float]:
    """Probability of each spelling of an ASCII word: every set of drops at every step."""
    merges = [tuple(m) for m in json.loads(MADE.library.to_str())["model"]["merges"]]
    rank = {merge: n for n, merge in enumerate(merges)}

    @cache
    def ends(pieces: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        places = [n for n in range(len(pieces) - 1) if pieces[n : n + 2] in rank]
        found: Counter[tuple[str, ...]] = Counter()
        for drops in range(2 ** len(places)):
            left = [place for bit, place in enumerate(places) if not drops >> bit & 1]
            chance = (1 - p) ** len(left) * p ** (len(places) - len(left))
            if not left:
                found[pieces] += chance
                continue
            at = min(left, key=lambda n: (rank[pieces[n : n + 2]], n))
            after = (*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :])
            for end, share in ends(after).items():
                found[end] += chance * share
        return found

    return ends(tuple(word.replace(" ", "Ġ")))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_spellings_are_as_frequent_as_the_algorithm_says(p: float) -> None:
    draws, random, dropout = 20_000, Random(1), BPEDropout(MADE)
    ids = MADE.encode(" related")
    seen = Counter(
        tuple(MADE.pieces[id] for id in dropout.resample(ids, p, random)) for _ in range(draws)
    )
    expected = spelling_probabilities(" related", p)
    assert len(expected) > 9
    assert set(seen) <= set(expected)
    for pieces, chance in expected.items():
        deviation = (chance * (1 - chance) / draws) ** 0.5
        assert abs(seen[pieces] / draws - chance) < 4 * deviation + 1e-4, pieces


@given(words, st.floats(0, 0.99), st.integers(0, 9))
def test_the_text_stays_the_same(text: str, p: float, seed: int) -> None:
    found = BPEDropout(MADE).resample(MADE.encode(text), p, Random(seed))
    assert MADE.decode(found) == text


@given(words)
def test_merges_that_are_all_kept_give_the_library_s_ids(text: str) -> None:
    ids = MADE.encode(text)
    assert BPEDropout(MADE).resample(ids, 1e-12, Random(1)) == ids
    dropout = BPEDropout(MADE)
    ends = [dropout._path(word)[-1] for word in dropout._words(ids)]
    assert [id for end in ends for id in end] == ids


def test_characters_stay_whole() -> None:
    ids = MADE.encode(" über Brücke 日本")
    found = BPEDropout(MADE).resample(ids, 0.99, Random(1))
    assert len(found) > 12
    assert all("\\x" not in MADE.tokens[id] for id in found)


def test_the_seed_decides_whatever_came_before() -> None:
    ids = MADE.encode(" unrelated related über")
    used = BPEDropout(MADE)
    for seed in range(50):
        used.resample(ids, 0.5, Random(seed))
    samples = [used.resample(ids, 0.3, Random(7)), BPEDropout(MADE).resample(ids, 0.3, Random(7))]
    assert samples[0] == samples[1]
    assert len({tuple(used.resample(ids, 0.5, Random(seed))) for seed in range(50)}) > 20


def test_long_words_are_left_alone() -> None:
    ids = MADE.encode(" " + "related" * 5000)
    assert BPEDropout(MADE).resample(ids, 0.5, Random(1)) == ids


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_impossible_probabilities(p: float) -> None:
    with pytest.raises(ConfigError, match="expected 0 <= p < 1"):
        BPEDropout(MADE).resample([1], p, Random(1))


def test_another_kind_and_no_generator() -> None:
    unigram = SentenceTokeniser.train(LINES, "unigram", preparation=Preparation("none"))
    with pytest.raises(ConfigError, match="kind 'bpe' for BPE-dropout, got kind='unigram'"):
        unigram.encode("related", 0.1, Random(1))
    with pytest.raises(ConfigError, match="expected a generator"):
        SentenceTokeniser(MADE, Preparation("none")).encode("related", 0.1)
