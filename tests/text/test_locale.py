"""The corpus made on the spot: enough pairs, none in two parts, in the order each language has."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from babel.dates import format_date

from penstock.errors import ConfigError, DataError
from penstock.text import locale, locale_pairs, read_pairs, write_locale
from penstock.text.locale import SPLITS

PAIRS = locale_pairs()


def test_the_pairs_are_many_different_and_short() -> None:
    assert len(PAIRS) == sum(SPLITS.values()) == 9000
    for side in zip(*PAIRS, strict=True):
        assert len(set(side)) == 9000
        assert max(map(len, side)) < 60
        assert all(line == " ".join(line.split()) for line in side)


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("March 19", "19. März"),
        ("11:08 PM", "23:08"),
        ("30 minutes ago", "vor 30 Minuten"),
        ("3,100 meters", "3.100 Meter"),
        ("March 15, 1956", "15. März 1956"),
    ],
)
def test_meanings_as_people_say_them(english: str, german: str) -> None:
    assert dict(PAIRS)[english] == german


def test_the_word_order_differs() -> None:
    days = [date(1950, 1, 1) + timedelta(days=number) for number in range(29_000)]
    dates = {format_date(day, "long", "en"): format_date(day, "long", "de") for day in days}
    found = [pair for pair in PAIRS if pair[0] in dates]
    assert len(found) > 300
    assert all(dates[src] == tgt for src, tgt in found)


def test_the_seed_decides() -> None:
    assert locale_pairs(number=50) == PAIRS[:50]
    assert locale_pairs(number=50, seed=2) != PAIRS[:50]


@pytest.mark.parametrize(
    ("src", "tgt"),
    [("en", "fr"), ("ja", "pt_BR"), ("ar", "he"), ("sw", "hi"), ("de_AT", "zh_Hant")],
)
def test_other_languages(src: str, tgt: str) -> None:
    pairs = locale_pairs(src, tgt, number=2000)
    assert len(dict(pairs)) == 2000
    assert sum(a == b for a, b in pairs) < 700


def test_the_files(tmp_path: Path) -> None:
    files = write_locale(tmp_path / "data", "en", "de")
    assert list(files) == ["train", "valid", "test"]
    read = {part: list(read_pairs(*both)) for part, both in files.items()}
    assert {part: len(pairs) for part, pairs in read.items()} == SPLITS
    assert [pair for pairs in read.values() for pair in pairs] == PAIRS
    times = {file: file.stat().st_mtime_ns for both in files.values() for file in both}
    assert write_locale(tmp_path / "data", "en", "de") == files
    assert times == {file: file.stat().st_mtime_ns for file in times}


def test_locales_that_cannot_be() -> None:
    with pytest.raises(ConfigError) as caught:
        locale_pairs("pt_BX", "klingon")
    assert "unknown locale 'pt_BX'. Did you mean 'pt_" in str(caught.value)
    assert "unknown locale 'klingon'" in str(caught.value)
    with pytest.raises(ConfigError, match="expected two languages, got 'en' twice"):
        locale_pairs("en", "en")


def test_meanings_that_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locale, "_TRIES", 1)
    with pytest.raises(DataError, match=r"expected 9,000 different pairs of en and de, found \d"):
        locale_pairs()
