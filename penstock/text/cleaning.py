"""Leaving out sentence pairs that would harm training, and counting them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from penstock.errors import ConfigError
from penstock.text.pairs import Pair

__all__ = ["Cleaner", "Cleaning", "Counts", "clean"]


@dataclass(frozen=True)
class Cleaning:
    """Which pairs are left out, besides those with an empty side.

    Lengths are in tokens, whatever those are: words for raw lines, pieces for ids.

    Attributes:
        max_length: most tokens of a side; None for any number.
        max_ratio: most tokens of a side for each one of the other (9 in Moses' clean-corpus-n);
            None for any.
        duplicates: leave out a pair that was there before, word for word.
    """

    max_length: int | None = None
    max_ratio: float | None = 9.0
    duplicates: bool = True

    def __post_init__(self) -> None:
        mistakes = []
        if self.max_length is not None and self.max_length < 1:
            mistakes.append(f"Cleaning: expected max_length of 1 at least, got {self.max_length}.")
        if self.max_ratio is not None and not self.max_ratio >= 1:
            mistakes.append(f"Cleaning: expected max_ratio of 1 at least, got {self.max_ratio}.")
        if mistakes:
            raise ConfigError("\n".join(mistakes))


@dataclass
class Counts:
    """How many pairs each rule left out, the first that applies, and how many were kept."""

    kept: int = 0
    empty: int = 0
    long: int = 0
    ratio: int = 0
    duplicate: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, rule.name) for rule in fields(self))

    def __str__(self) -> str:
        """One line for a person.

        >>> print(Counts(kept=98, empty=2))
        kept 98 of 100 pairs: left out 2 with an empty side
        """
        reasons = {
            "empty": "with an empty side",
            "long": "too long",
            "ratio": "of too different lengths",
            "duplicate": "seen before",
        }
        parts = [f"{n:,} {text}" for rule, text in reasons.items() if (n := getattr(self, rule))]
        left_out = f": left out {', '.join(parts)}" if parts else ""
        return f"kept {self.kept:,} of {self.total:,} pairs{left_out}"


@dataclass
class Cleaner:
    """Applies the rules to one pair after another, and counts.

    Of each pair kept it remembers 16 bytes, to know its duplicates.
    """

    rules: Cleaning | None
    counts: Counts = field(default_factory=Counts)
    _seen: set[bytes] = field(default_factory=set)

    def keeps(self, src_length: int, tgt_length: int, content: bytes) -> bool:
        """Whether a pair stays.

        Args:
            content: what makes two pairs the same.
        """
        rule = self._broken(src_length, tgt_length, content) or "kept"
        setattr(self.counts, rule, getattr(self.counts, rule) + 1)
        return rule == "kept"

    def _broken(self, src_length: int, tgt_length: int, content: bytes) -> str:
        rules = self.rules
        if rules is None:
            return ""
        short, long = sorted((src_length, tgt_length))
        if not short:
            return "empty"
        if rules.max_length is not None and long > rules.max_length:
            return "long"
        if rules.max_ratio is not None and long > rules.max_ratio * short:
            return "ratio"
        return "duplicate" if rules.duplicates and self._known(content) else ""

    def _known(self, content: bytes) -> bool:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        known = digest in self._seen
        self._seen.add(digest)
        return known


def clean(pairs: Iterable[Pair], cleaner: Cleaner) -> Iterator[Pair]:
    """The raw pairs that keep the rules, their lengths counted in words between white space.

    >>> cleaner = Cleaner(Cleaning(max_ratio=3))
    >>> list(clean([("a b", "c"), ("a", ""), ("a b", "c"), ("a", "b c d e")], cleaner))
    [('a b', 'c')]
    >>> print(cleaner.counts)
    kept 1 of 4 pairs: left out 1 with an empty side, 1 of too different lengths, 1 seen before
    """
    for src, tgt in pairs:
        content = f"{src}\n{tgt}".encode(errors="surrogatepass")
        if cleaner.keeps(len(src.split()), len(tgt.split()), content):
            yield src, tgt
