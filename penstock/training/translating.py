"""Raw sentences to raw translations, many at a time, in the order they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from penstock.errors import ConfigError
from penstock.search import Beam, Constraints, Hypothesis, beam_search
from penstock.search.ensemble import Ensemble
from penstock.text import pad
from penstock.training.alignment import replaced
from penstock.training.translator_folder import System

__all__ = ["Translation", "check_ensemble", "translate"]

WINDOW = 2048
"""Lines that are sorted by length together."""
TOKENS = 4096
"""Source tokens of a batch, padding counted."""
_GROWTH, _ROOM = 3, 20
"""The longest translation: so many tokens for each of the source, and so many more."""


@dataclass(frozen=True)
class Translation:
    """What came of one line.

    Attributes:
        line: the source, as it stood.
        texts: translations, best first; one empty text for an empty line.
        hypotheses: the tokens of each; none for an empty line.
    """

    line: str
    texts: list[str]
    hypotheses: list[Hypothesis]


def check_ensemble(systems: Sequence[System]) -> None:
    """Refuse systems that do not predict the same tokens.

    Raises:
        ConfigError: naming the first that differs.
    """
    first = systems[0]
    for other in systems[1:]:
        if other.target.fingerprint != first.target.fingerprint:
            raise ConfigError(
                f"{other.path}: expected the target tokens of {first.path} for an ensemble, got "
                "others. Train both with the same target tokeniser."
            )


def translate(
    systems: Sequence[System],
    lines: Iterable[str],
    options: Beam | None = None,
    *,
    weights: Sequence[float] | None = None,
    attention: bool = False,
    replace_unknown: bool = True,
    window: int = WINDOW,
    progress: Callable[[int], object] = lambda lines: None,
) -> Iterator[Translation]:
    """The translation of each line, in order.

    Lines are read ``window`` at a time, sorted by length and searched in batches; what comes of a
    line does not depend on its neighbours.

    Args:
        systems: one, or several that search together, of the same target tokens.
        options: of the search.
        weights: of several systems; by default equal.
        attention: whether hypotheses hold the attention.
        replace_unknown: whether the source word that was looked at most stands in the text where
            a token that is a word is ``<unk>`` (Luong et al. 2015).
        window: lines that are read before the first is answered; 1 answers each at once.
        progress: told after each batch how many lines it had.
    """
    check_ensemble(systems)
    search = _Search(systems, options or Beam(), weights, attention, replace_unknown)
    incoming = iter(lines)
    while chunk := list(islice(incoming, window)):
        yield from search.window(chunk, progress)


class _Search:
    """Systems and how they search."""

    def __init__(
        self,
        systems: Sequence[System],
        options: Beam,
        weights: Sequence[float] | None,
        attention: bool,
        replace_unknown: bool,
    ) -> None:
        self.systems, self.options, self.weights = systems, options, weights
        self.target, attends = systems[0].target, systems[0].model.attends
        self.replaces = replace_unknown and attends and self.target.tokeniser.kind == "word"
        self.attention = attention or self.replaces

    def window(
        self, lines: Sequence[str], progress: Callable[[int], object]
    ) -> Iterator[Translation]:
        """Translations of some lines."""
        rows = [system.encode(lines) for system in self.systems]
        full = [n for n in range(len(lines)) if all(len(side[n]) > 1 for side in rows)]
        found: dict[int, list[Hypothesis]] = {}
        for batch in _batches(full, rows[0]):
            answers = self.search([[side[n] for n in batch] for side in rows])
            found.update(zip(batch, answers, strict=True))
            progress(len(batch))
        for n, line in enumerate(lines):
            hypotheses = found.get(n, [])
            texts = [self.text(line, one) for one in hypotheses]
            yield Translation(line, texts or [""], hypotheses)

    def text(self, line: str, hypothesis: Hypothesis) -> str:
        """The raw translation that the ids of a hypothesis spell."""
        if self.replaces and self.target.unk_id in hypothesis.ids:
            return replaced(self.systems[0], line, hypothesis)
        return self.target.decode(hypothesis.ids)

    @torch.no_grad()
    def search(self, sides: Sequence[Sequence[Sequence[int]]]) -> list[list[Hypothesis]]:
        """Hypotheses for a batch of sources, given in the ids of each system."""
        given = []
        for system, rows in zip(self.systems, sides, strict=True):
            ids, lengths = pad(rows, system.source.eos_id)
            given.append(system.model.given(ids, lengths))
        model = given[0] if len(given) == 1 else Ensemble(given, self.weights)
        longest = [min(self.options.max_length, _GROWTH * len(row) + _ROOM) for row in sides[0]]
        return beam_search(
            model,
            len(sides[0]),
            self.options,
            start_id=self.target.bos_id,
            eos_id=self.target.eos_id,
            constraints=Constraints(max_lengths=longest),
            source_lengths=lengths,
            attention=self.attention,
        )


def _batches(numbers: Sequence[int], rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Lines of like length, as many as fit when padded."""
    batch: list[int] = []
    for number in sorted(numbers, key=lambda n: len(rows[n])):
        if batch and len(rows[number]) * (len(batch) + 1) > TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
