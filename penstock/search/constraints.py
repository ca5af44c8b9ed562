"""What the hypotheses of each sentence must and must not be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.errors import ConfigError
from penstock.search.options import Beam
from penstock.search.repeats import MustNot, NoRepeat
from penstock.search.rules import Forbidden, Lengths, Phrases, Prefix, Rule

__all__ = ["Constraints", "least_symbols"]


@dataclass(frozen=True)
class Constraints:
    """What the hypotheses must and must not be; each list has one entry a sentence, or none.

    Attributes:
        forbidden: ids that never come, such as ``<unk>``.
        max_lengths: most symbols for each sentence, instead of the one of :class:`Beam`; the
            minimum gives way to it.
        prefixes: ids with which the hypotheses of each sentence begin, whatever the rules.
        must: phrases that all come, in any order.
        must_not: phrases of which none comes.
    """

    forbidden: Sequence[int] = ()
    max_lengths: Sequence[int] = ()
    prefixes: Sequence[Sequence[int]] = ()
    must: Sequence[Phrases] = ()
    must_not: Sequence[Phrases] = ()

    def check(self, batch: int, options: Beam, eos_id: int) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: naming all of it.
        """
        most = self.max_lengths or [options.max_length] * batch
        mistakes = ["the end among forbidden"] if eos_id in self.forbidden else []
        for name in ("max_lengths", "prefixes", "must", "must_not"):
            if (number := len(getattr(self, name))) not in (0, batch):
                mistakes.append(f"{name} of {number} sentences, not {batch}")
        for sentence, length in enumerate(most):
            found = self._mistakes(sentence, length, eos_id)
            mistakes += [f"{mistake} for sentence {sentence}" for mistake in found]
        if mistakes:
            raise _error(mistakes)

    def _mistakes(self, sentence: int, length: int, eos_id: int) -> Iterator[str]:
        prefix = next(iter(self.prefixes[sentence : sentence + 1]), ())
        must, must_not = (
            next(iter(several[sentence : sentence + 1]), ())
            for several in (self.must, self.must_not)
        )
        if length < 0:
            yield f"max_length={length}"
        if any(len(phrase) == 0 for phrase in (*must, *must_not)):
            yield "an empty phrase"
        if eos_id in prefix or any(eos_id in phrase for phrase in must):
            yield "the end in what must come"
        if (size := least_symbols(prefix, must)) > length:
            yield f"{size} symbols that must come with max_length={length}"

    def check_symbols(self, vocab_size: int, eos_id: int) -> None:
        """Refuse ids that the model has not.

        Raises:
            ConfigError: naming one.
        """
        phrases = [[eos_id], self.forbidden, *self.prefixes]
        phrases += [phrase for each in (self.must, self.must_not) for one in each for phrase in one]
        for symbol in (symbol for phrase in phrases for symbol in phrase):
            if not 0 <= symbol < vocab_size:
                raise _error([f"symbol {symbol} where there are {vocab_size}"])

    @property
    def phrases(self) -> bool:
        """Whether some phrase must or must not come."""
        return any(map(len, self.must)) or any(map(len, self.must_not))

    def lengths(self, batch: int, options: Beam, device: torch.device) -> tuple[Tensor, Tensor]:
        """Least and most symbols of each sentence: (B,), (B,)."""
        most = torch.tensor(self.max_lengths or [options.max_length] * batch, device=device)
        return most.clamp(max=options.min_length), most

    def without_must(self, batch: int, device: torch.device) -> Tensor:
        """Which sentences have no phrase that must come: (B,)."""
        return torch.tensor([not any(self.must[n : n + 1]) for n in range(batch)], device=device)

    def longest(self, options: Beam) -> int:
        """Most symbols of any sentence."""
        return max(self.max_lengths, default=options.max_length)

    def rules(self, options: Beam, least: Tensor, most: Tensor, eos_id: int) -> list[Rule]:
        """The rules on single symbols; the prefix, which is last, stands above the others."""
        rules: list[Rule] = [Lengths(least, most, eos_id)]
        if self.forbidden:
            rules.append(Forbidden(torch.tensor(self.forbidden, device=most.device)))
        if any(map(len, self.must_not)):
            rules.append(MustNot(self.must_not, most.device))
        if options.no_repeat:
            rules.append(NoRepeat(options.no_repeat))
        if any(map(len, self.prefixes)):
            rules.append(Prefix(self.prefixes, most.device))
        return rules


def least_symbols(prefix: Sequence[int], must: Phrases) -> int:
    """Symbols that a hypothesis has at least, with a prefix and phrases that must come."""
    return max(len(prefix), sum(map(len, set(map(tuple, must)))))


def _error(mistakes: list[str]) -> ConfigError:
    return ConfigError(
        f"Constraints: expected what a hypothesis can be, got {'; '.join(mistakes)}."
    )
