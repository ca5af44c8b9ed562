"""n-best lists in the format of Moses.

    0 ||| the house is small ||| LM= -12.5 TM= -3.1 -2.7 ||| -7.25

One line a hypothesis: number of the sentence, text, features with one value or several, score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from penstock.errors import ConfigError, DataError
from penstock.files import open_atomic
from penstock.text.read import read_lines

__all__ = ["Entry", "as_values", "by_sentence", "read_nbest", "with_feature", "write_nbest"]

BAR = "|||"


@dataclass(frozen=True)
class Entry:
    """One hypothesis of an n-best list.

    Attributes:
        sentence: its number, from 0.
        text: as it is.
        features: values by name.
        score: what it was ranked by.
        more: fields behind the score, such as an alignment.
    """

    sentence: int
    text: str
    features: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    score: float = 0.0
    more: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> Entry:
        """That of a line.

        Raises:
            ValueError: saying what is wrong with it.

        >>> Entry.parse("3 ||| a rose ||| LM= -2.5 TM= -1 -0.5 ||| -3").features
        {'LM': (-2.5,), 'TM': (-1.0, -0.5)}
        """
        fields = [part.strip(" ") for part in line.split(BAR)]
        if len(fields) < 4:
            raise ValueError(
                f"expected 'number {BAR} text {BAR} features {BAR} score', got {line!r}"
            )
        number, text, features, score, *more = fields
        if not (number.isascii() and number.isdigit()):
            raise ValueError(f"expected the number of a sentence, got {number!r}")
        return cls(int(number), text, _features(features), _number(score), tuple(more))

    def line(self) -> str:
        """It as a line, without the line's end.

        Raises:
            DataError: some part has the separator or a line's end in it.
        """
        features = " ".join(
            " ".join([f"{name}=", *map(_shown, values)]) for name, values in self.features.items()
        )
        parts = [str(self.sentence), self.text, features, _shown(self.score), *self.more]
        for part in parts:
            if BAR in part or "\n" in part:
                raise DataError(f"n-best: expected text without {BAR} and line ends, got {part!r}.")
        return f" {BAR} ".join(parts)


def read_nbest(path: str | Path) -> Iterator[Entry]:
    """The hypotheses in a file, packed or not, as they stand.

    Raises:
        DataError: ``path:line`` and what is wrong there.
    """
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield Entry.parse(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}.") from error


def write_nbest(path: str | Path, entries: Iterable[Entry]) -> None:
    """Write hypotheses, all or nothing."""
    with open_atomic(Path(path)) as file:
        for entry in entries:
            file.write(f"{entry.line()}\n".encode())


def by_sentence(entries: Iterable[Entry], number: int | None = None) -> list[list[Entry]]:
    """The hypotheses of each sentence, in their order; none for those left out.

    Args:
        number: of sentences; by default up to the last that has some.

    Raises:
        DataError: there are more sentences.
    """
    lists: list[list[Entry]] = [[] for _ in range(number or 0)]
    for entry in entries:
        if number is not None and entry.sentence >= number:
            raise DataError(f"n-best: expected {number} sentences, got sentence {entry.sentence}.")
        lists += [[] for _ in range(len(lists), entry.sentence + 1)]
        lists[entry.sentence].append(entry)
    return lists


def with_feature(
    entries: Sequence[Entry], name: str, values: Iterable[float | Sequence[float]]
) -> list[Entry]:
    """The same hypotheses with one more feature, or another in its place.

    Raises:
        ConfigError: the name cannot stand in a file.
    """
    if not name or any(sign.isspace() or sign in "=:|" for sign in name):
        raise ConfigError(
            f"n-best: expected a name without spaces, '=', ':' and '|', got {name!r}."
        )
    return [
        replace(entry, features={**entry.features, name: as_values(value)})
        for entry, value in zip(entries, values, strict=True)
    ]


def as_values(value: float | Sequence[float]) -> tuple[float, ...]:
    """One number or several as several."""
    return tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)


def _features(text: str) -> dict[str, tuple[float, ...]]:
    """Values by name; a name ends in ``=`` or, in older lists, ``:``."""
    found: dict[str, tuple[float, ...]] = {}
    name = ""
    for part in text.split():
        if part[-1] in "=:" and len(part) > 1:
            name = part[:-1]
            if name in found:
                raise ValueError(f"expected each feature once, got {name!r} twice")
            found[name] = ()
        elif not name:
            raise ValueError(f"expected 'name= value ...', got {text!r}")
        else:
            found[name] += (_number(part),)
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"expected a number, got {text!r}")
    return value


def _shown(value: float) -> str:
    """The shortest text that reads as the same number."""
    return repr(float(value)).removesuffix(".0")
