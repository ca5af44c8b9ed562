"""Raw sentences to raw translations, many at a time, in the order they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from penstock.errors import ConfigError, DataError
from penstock.search import (
    Beam,
    Draws,
    Ensemble,
    Hypothesis,
    Risk,
    Selectable,
    beam_search,
    sample,
    shallow_fusion,
)
from penstock.text import pad
from penstock.training.alignment import replaced
from penstock.training.demands import Demand, Tokens, constraints, in_tokens, phrases
from penstock.training.fusion import Fusion
from penstock.training.translator_folder import System

__all__ = ["Translation", "check_ensemble", "translate"]

WINDOW = 2048
"""Lines that are sorted by length together."""
TOKENS, WIDE = 4096, 12
"""Source tokens of a batch, padding counted, and hypotheses of a sentence from which on it has
fewer."""
_GROWTH, _ROOM = 3, 20
"""The longest translation: so many tokens for each of the source, and so many more."""


@dataclass(frozen=True)
class Translation:
    """What came of one line.

    Attributes:
        line: the source, as it stood.
        texts: translations, best first; one empty text for a line without any.
        hypotheses: the tokens of each; none for an empty line.
        failed: whether there was something to translate, but no translation meets the demands.
    """

    line: str
    texts: list[str]
    hypotheses: list[Hypothesis]
    failed: bool = False


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
    options: Beam | Draws | None = None,
    *,
    weights: Sequence[float] | None = None,
    fusion: Fusion | None = None,
    demands: Sequence[Demand] | None = None,
    forbidden: Sequence[str] = (),
    risk: Risk | None = None,
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
        options: of the search, or of the samples drawn in its place.
        weights: of several systems; by default equal.
        fusion: a language model that advises them.
        demands: what the translation of each line must and must not be.
        forbidden: phrases that come in no translation.
        risk: which of the candidates are answered; all when None.
        attention: whether hypotheses hold the attention.
        replace_unknown: whether the source word that was looked at most stands in the text where
            a token that is a word is ``<unk>`` (Luong et al. 2015).
        window: lines that are read before the first is answered; 1 answers each at once.
        progress: told after each batch how many lines it had.

    Raises:
        ConfigError: systems, options and demands do not go together.
        DataError: there are not as many demands as lines.
    """
    check_ensemble(systems)
    options = options or Beam()
    if isinstance(options, Draws) and any(demand.must for demand in demands or ()):
        raise ConfigError("translate: expected no phrases that must come in samples. Use a beam.")
    attends, target = systems[0].model.attends, systems[0].target
    replaces = replace_unknown and attends and target.tokeniser.kind == "word"
    search = _Search(
        systems,
        options,
        weights,
        fusion,
        risk,
        phrases(forbidden, target),
        attention or replaces,
        replaces,
    )
    for first, chunk, own in _windows(lines, window, demands):
        yield from search.window(first, chunk, own, progress)


@dataclass(frozen=True)
class _Search:
    """Systems and how they search."""

    systems: Sequence[System]
    options: Beam | Draws
    weights: Sequence[float] | None
    fusion: Fusion | None
    risk: Risk | None
    forbidden: list[list[int]]
    attention: bool
    replaces: bool

    def window(
        self,
        first: int,
        lines: Sequence[str],
        demands: Sequence[Demand],
        progress: Callable[[int], object],
    ) -> Iterator[Translation]:
        """Translations of some lines, of which the first has that number."""
        rows = [system.encode(lines) for system in self.systems]
        full = [n for n in range(len(lines)) if all(len(side[n]) > 1 for side in rows)]
        asked = {n: self.asked(demands[n]) for n in full}
        met = {n: tokens for n, tokens in asked.items() if tokens is not None}
        found: dict[int, list[Hypothesis]] = {}
        room = TOKENS * WIDE // max(WIDE, self.options.size)
        for batch in _batches(list(met), rows[0], room):
            sides = [[side[n] for n in batch] for side in rows]
            answers = self.search(sides, [met[n] for n in batch], [first + n for n in batch])
            found.update(zip(batch, answers, strict=True))
            progress(len(batch))
        for n, line in enumerate(lines):
            yield self.answer(line, found.get(n, []), sought=n in asked)

    def asked(self, demand: Demand) -> Tokens | None:
        """A demand in tokens; None when it cannot be met."""
        tokens = in_tokens(demand, self.systems[0].target)
        if tokens is None or tokens.size > self.options.max_length:
            return None
        return tokens._replace(must_not=[*tokens.must_not, *self.forbidden])

    def answer(self, line: str, hypotheses: list[Hypothesis], *, sought: bool) -> Translation:
        """What the hypotheses say."""
        texts = [self.text(line, one) for one in hypotheses]
        if self.risk:
            drawn = isinstance(self.options, Draws)
            texts, hypotheses = self.risk.choose(texts, hypotheses, drawn=drawn)
        return Translation(line, texts or [""], hypotheses, sought and not hypotheses)

    def text(self, line: str, hypothesis: Hypothesis) -> str:
        """The raw translation that the ids of a hypothesis spell."""
        target = self.systems[0].target
        if self.replaces and target.unk_id in hypothesis.ids:
            return replaced(self.systems[0], line, hypothesis)
        return target.decode(hypothesis.ids)

    @torch.no_grad()
    def search(
        self,
        sides: Sequence[Sequence[Sequence[int]]],
        demands: Sequence[Tokens],
        numbers: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """Hypotheses for a batch of sources, given in the ids of each system."""
        given = []
        for system, rows in zip(self.systems, sides, strict=True):
            ids, lengths = pad(rows, system.source.eos_id)
            given.append(system.model.given(ids, lengths))
        model: Selectable = given[0] if len(given) == 1 else Ensemble(given, self.weights)
        if self.fusion:
            model = shallow_fusion(model, self.fusion.language, self.fusion.weight)
        options, target, batch = self.options, self.systems[0].target, len(sides[0])
        longest = [
            min(options.max_length, _GROWTH * len(row) + _ROOM + demand.size)
            for row, demand in zip(sides[0], demands, strict=True)
        ]
        wanted = constraints(demands, longest)
        if isinstance(options, Beam):
            return beam_search(
                model,
                batch,
                options,
                start_id=target.bos_id,
                eos_id=target.eos_id,
                constraints=wanted,
                source_lengths=lengths,
                attention=self.attention,
            )
        return sample(
            model,
            batch,
            options.sampling,
            start_id=target.bos_id,
            eos_id=target.eos_id,
            number=options.nbest,
            max_length=options.max_length,
            min_length=options.min_length,
            constraints=wanted,
            seed=options.seed,
            numbers=numbers,
            attention=self.attention,
        )


def _windows(
    lines: Iterable[str], size: int, demands: Sequence[Demand] | None
) -> Iterator[tuple[int, list[str], Sequence[Demand]]]:
    """Some lines at a time: the number of the first, they, and what is demanded of each."""
    incoming, first, wanted = iter(lines), 0, len(demands or ())
    while chunk := list(islice(incoming, size)):
        last = first + len(chunk)
        if demands is not None and wanted < last:
            raise _not_as_many(wanted, f"{last:,} lines or more")
        yield first, chunk, demands[first:last] if demands else [Demand()] * len(chunk)
        first = last
    if first < wanted:
        raise _not_as_many(wanted, f"{first:,} lines")


def _not_as_many(demands: int, lines: str) -> DataError:
    return DataError(
        f"translate: expected constraints for each line, got {demands:,} for {lines}. "
        "An empty line among them demands nothing."
    )


def _batches(
    numbers: Sequence[int], rows: Sequence[Sequence[int]], room: int
) -> Iterator[list[int]]:
    """Lines of like length, as many as fit in a room of so many tokens when padded."""
    batch: list[int] = []
    for number in sorted(numbers, key=lambda n: len(rows[n])):
        if batch and len(rows[number]) * (len(batch) + 1) > room:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
