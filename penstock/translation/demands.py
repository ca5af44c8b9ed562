"""What the translations of single lines must and must not be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import did_you_mean
from penstock.search import Constraints, least_symbols
from penstock.text import SentenceTokeniser
from penstock.text.pair_lines import parsed, short

__all__ = ["Demand", "Tokens", "constraints", "in_tokens", "phrases", "read_demands"]


@dataclass(frozen=True)
class Demand:
    """What the translation of a line must and must not be, as text of the target.

    Attributes:
        prefix: how it begins, in whole words.
        must: phrases that all come, in any order.
        must_not: phrases of which none comes.
    """

    prefix: str = ""
    must: Sequence[str] = ()
    must_not: Sequence[str] = ()

    @classmethod
    def parse(cls, line: str) -> Demand:
        """That of a JSON object; nothing is demanded by an empty line.

        Raises:
            ValueError: saying what is wrong with it.

        >>> Demand.parse('{"prefix": "the", "must": ["red dog"]}')
        Demand(prefix='the', must=['red dog'], must_not=())
        """
        try:
            record = json.loads(line) if line.strip() else {}
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"expected a JSON object, got {short(line)!r} ({error}).") from error
        if not isinstance(record, dict):
            raise ValueError(f"expected a JSON object, got {short(line)!r}.")
        known = {item.name for item in fields(cls)}
        for key, value in record.items():
            if key not in known:
                expected = ", ".join(sorted(known))
                raise ValueError(f"expected {expected}, got {key!r}.{did_you_mean(key, known)}")
            _check(key, value)
        return cls(**record)


class Tokens(NamedTuple):
    """A demand in the ids of a model's tokens."""

    prefix: list[int]
    must: list[list[int]]
    must_not: list[list[int]]

    @property
    def least(self) -> int:
        """Tokens that a translation has at least."""
        return least_symbols(self.prefix, self.must)

    @property
    def size(self) -> int:
        """Tokens of all that must come, side by side."""
        return len(self.prefix) + sum(map(len, self.must))


def read_demands(path: Path) -> list[Demand]:
    """The demands of a file, one a line.

    Raises:
        DataError: for a file that cannot be read, or lines that are no demand.
    """
    return list(parsed(path, Demand.parse))


def in_tokens(demand: Demand, tokeniser: SentenceTokeniser) -> Tokens | None:
    """A demand as a model has it; None when something must come that it cannot write."""
    unknown = tokeniser.unk_id
    prefix = tokeniser.encode(demand.prefix) if demand.prefix else []
    must = list(_encoded(demand.must, tokeniser))
    if any(unknown in phrase for phrase in (prefix, *must)):
        return None
    return Tokens(prefix, must, phrases(demand.must_not, tokeniser))


def phrases(texts: Iterable[str], tokeniser: SentenceTokeniser) -> list[list[int]]:
    """Phrases that a model could write, in its ids."""
    unknown = tokeniser.unk_id
    return [phrase for phrase in _encoded(texts, tokeniser) if unknown not in phrase]


def constraints(demands: Sequence[Tokens], longest: Sequence[int]) -> Constraints:
    """Those of a batch of sentences, each with the most tokens it may have."""
    prefixes, must, must_not = zip(*demands, strict=True)
    return Constraints(max_lengths=longest, prefixes=prefixes, must=must, must_not=must_not)


def _encoded(texts: Iterable[str], tokeniser: SentenceTokeniser) -> Iterator[list[int]]:
    """Those that have some token, each once."""
    return filter(None, map(tokeniser.encode, dict.fromkeys(texts)))


def _check(key: str, value: Any) -> None:
    """Refuse a value that is no text, or no list of phrases."""
    if key == "prefix":
        if not isinstance(value, str):
            raise ValueError(f"expected prefix as a text, got {value!r}.")
    elif not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"expected {key} as a list of texts, got {value!r}.")
    elif not all(one.strip() for one in value):
        raise ValueError(f"expected phrases of {key} with text in them, got {value!r}.")
