"""A small parallel corpus made on the spot: dates, times and quantities as two languages say them.

The sayings are those of the Unicode CLDR as the Babel library carries it.  Nothing is downloaded,
the word order of two languages differs ("March 5, 2021" is "5. März 2021", "$12.50" is
"12,50 $"), and who reads a mistake sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from penstock.errors import ConfigError, DataError, did_you_mean
from penstock.files import write_changed
from penstock.text.pairs import Pair
from penstock.text.sayings import KINDS

if TYPE_CHECKING:
    from babel import Locale

__all__ = ["SPLITS", "locale_pairs", "write_locale"]

SPLITS = {"train": 8000, "valid": 500, "test": 500}
"""Pairs of each part; no source or target line is in two."""
_TRIES = 60
"""Draws for each pair wanted, before languages are given up that say too many things alike."""
_SPACES = re.compile(r"\s+")
_UNSEEN = re.compile("[\u200e\u200f\u061c]")
"""Marks of the direction of writing, which CLDR puts around numbers."""


def locale_pairs(
    src: str = "en", tgt: str = "de", *, number: int = sum(SPLITS.values()), seed: int = 1
) -> list[Pair]:
    """That many meanings in two languages; no source line comes twice, and no target line.

    Every white space is a plain one.

    Args:
        src, tgt: names of locales as Babel has them, "en" or "pt_BR" for two.
        seed: the pairs are a function of it, of the languages and of the version of Babel.

    Raises:
        ConfigError: for a locale Babel lacks, or twice the same.
        DataError: when the languages do not tell so many meanings apart.

    >>> dict(locale_pairs("en", "de"))["March 19"]
    '19. März'
    """
    locales = _locales(src, tgt)
    pairs: dict[str, str] = {}
    targets: set[str] = set()
    for left, right in _drawn(locales, number * _TRIES, Random(seed)):
        if left not in pairs and right not in targets:
            pairs[left] = right
            targets.add(right)
        if len(pairs) == number:
            return list(pairs.items())
    raise DataError(
        f"locale: expected {number:,} different pairs of {src} and {tgt}, found {len(pairs):,}. "
        "Take two languages further apart."
    )


def write_locale(
    folder: str | Path, src: str = "en", tgt: str = "de", *, seed: int = 1
) -> dict[str, tuple[Path, Path]]:
    """The pairs as files ``train.SRC``, ``train.TGT``, ``valid.SRC`` ... of one line each.

    Returns:
        the source and the target file of each part in :data:`SPLITS`.

    Raises:
        ConfigError, DataError: as :func:`locale_pairs`, or when the folder cannot be written.
    """
    pairs = iter(locale_pairs(src, tgt, seed=seed))
    files = {}
    for part, number in SPLITS.items():
        chosen = list(islice(pairs, number))
        paths = Path(folder) / f"{part}.{src}", Path(folder) / f"{part}.{tgt}"
        for path, lines in zip(paths, zip(*chosen, strict=True), strict=True):
            data = "".join(line + "\n" for line in lines).encode()
            write_changed(path, data)
        files[part] = paths
    return files


def _locales(src: str, tgt: str) -> tuple[Locale, Locale]:
    from babel import Locale, UnknownLocaleError
    from babel.localedata import locale_identifiers

    found, mistakes = [], []
    for name in (src, tgt):
        try:
            found.append(Locale.parse(name))
        except (UnknownLocaleError, ValueError):
            hint = did_you_mean(name, locale_identifiers())
            mistakes.append(
                f"locale: unknown locale {name!r}.{hint} Name one such as 'en', 'pt_BR'."
            )
    if not mistakes and found[0] == found[1]:
        mistakes.append(f"locale: expected two languages, got {src!r} twice.")
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return found[0], found[1]


def _drawn(locales: tuple[Locale, Locale], number: int, random: Random) -> Iterator[Pair]:
    """Meanings in both languages; those that a language has no words for are passed over."""
    for _ in range(number):
        say = random.choice(KINDS)(random)
        try:
            src, tgt = (_plain(say(locale)) for locale in locales)
        except LookupError:
            continue
        if src and tgt:
            yield src, tgt


def _plain(text: str) -> str:
    return _SPACES.sub(" ", _UNSEEN.sub("", text)).strip()
