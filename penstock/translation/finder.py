"""The search for translations of some lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain

import torch
from torch import Tensor

from penstock.search import (
    Beam,
    Draws,
    Ensemble,
    Hypothesis,
    Risk,
    Selectable,
    beam_search,
    force,
    sample,
    shallow_fusion,
)
from penstock.text import SentenceTokeniser, pad
from penstock.translation.alignment import looking, replaced
from penstock.translation.demands import Demand, Tokens, constraints, in_tokens, phrases
from penstock.translation.fusion import Fusion
from penstock.translation.system import System

__all__ = ["Finder", "Translation"]

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
        system: whose tokens they are, and whose source tokens the attention is over.
        failed: whether there was something to translate, but no translation meets the demands.
        cut: whether the best went on until it was as long as the options let it be.
    """

    line: str
    texts: list[str]
    hypotheses: list[Hypothesis]
    system: System
    failed: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Finder:
    """Systems and how they find translations.

    Attributes:
        systems: one, or several of the same target tokens.
        options: of the search, or of the samples drawn in its place.
        weights: of several systems; their sum does not matter; equal when None.
        fusion: a language model that advises them.
        risk: which of the candidates are answered; all when None.
        forbidden: phrases that come in no translation.
        attention: whether hypotheses hold the attention.
        replace_unknown: whether the source word that was looked at most stands in the text where
            a token that is a word is ``<unk>`` (Luong et al. 2015).
        shortlist: likely translations of each source token that may come, beside what is common
            (:class:`~penstock.translation.shortlist.Shortlist`); every token may when 0.
    """

    systems: Sequence[System]
    options: Beam | Draws = field(default_factory=Beam)
    weights: Sequence[float] | None = None
    fusion: Fusion | None = None
    risk: Risk | None = None
    forbidden: Sequence[str] = ()
    attention: bool = False
    replace_unknown: bool = True
    shortlist: int = 0

    @property
    def target(self) -> SentenceTokeniser:
        """The tokeniser of what is written."""
        return self.systems[0].target

    @cached_property
    def looking(self) -> list[int]:
        """Numbers of the systems whose attention counts."""
        return looking(self.systems)

    @property
    def shown(self) -> System:
        """The system whose source tokens the attention is over."""
        return self.systems[self.looking[0] if self.looking else 0]

    @cached_property
    def replaces(self) -> bool:
        """Whether unknown words are replaced: tokens are words, and it is seen where from."""
        words = self.target.tokeniser.kind == "word"
        return self.replace_unknown and bool(self.looking) and words

    @cached_property
    def must_not(self) -> list[list[int]]:
        """What is forbidden, in tokens."""
        return phrases(self.forbidden, self.target)

    def window(
        self,
        first: int,
        lines: Sequence[str],
        demands: Sequence[Demand],
        progress: Callable[[int], object],
    ) -> Iterator[Translation]:
        """Translations of some lines, of which the first has that number."""
        rows = [system.encode(lines) for system in self.systems]
        full = [
            n
            for n, line in enumerate(lines)
            if any(map(_is_visible, line)) and all(len(side[n]) > 1 for side in rows)
        ]
        asked = {n: self.asked(demands[n]) for n in full}
        met = {n: tokens for n, tokens in asked.items() if tokens is not None}
        found: dict[int, list[Hypothesis]] = {}
        for batch, sides in self.batches(list(met), rows):
            answers = self.search(sides, [met[n] for n in batch], [first + n for n in batch])
            found.update(zip(batch, answers, strict=True))
            progress(len(batch))
        for n, line in enumerate(lines):
            yield self.answer(line, found.get(n, []), sought=n in asked)

    @torch.no_grad()
    def force(self, lines: Sequence[str], texts: Sequence[Sequence[str]]) -> list[list[Hypothesis]]:
        """Given translations of each line as hypotheses, with the score of the beam."""
        assert isinstance(self.options, Beam)
        rows, target = [system.encode(lines) for system in self.systems], self.target
        found: dict[int, list[Hypothesis]] = {}
        for batch, sides in self.batches([n for n, own in enumerate(texts) if own], rows):
            model, lengths = self.model(sides)
            answers = force(
                model,
                [[target.encode(text) for text in texts[n]] for n in batch],
                start_id=target.bos_id,
                eos_id=target.eos_id,
                score=self.options.score(),
                source_lengths=lengths,
                attention=self.attention,
            )
            found.update(zip(batch, answers, strict=True))
        return [found.get(n, []) for n in range(len(lines))]

    def batches(
        self, numbers: Sequence[int], rows: Sequence[Sequence[Sequence[int]]]
    ) -> Iterator[tuple[list[int], list[list[Sequence[int]]]]]:
        """Lines of like length, as many as fit in a batch when padded.

        Their numbers come, and for each system the ids of each.

        Args:
            numbers: of the lines wanted.
            rows: for each system the ids of all lines.
        """
        room = TOKENS * WIDE // max(WIDE, self.options.size)
        batch: list[int] = []
        for number in sorted(numbers, key=lambda n: len(rows[0][n])):
            if batch and len(rows[0][number]) * (len(batch) + 1) > room:
                yield batch, [[side[n] for n in batch] for side in rows]
                batch = []
            batch.append(number)
        if batch:
            yield batch, [[side[n] for n in batch] for side in rows]

    def asked(self, demand: Demand) -> Tokens | None:
        """A demand in tokens; None when it cannot be met."""
        tokens = in_tokens(demand, self.target)
        if tokens is None or tokens.least > self.options.max_length:
            return None
        return tokens._replace(must_not=[*tokens.must_not, *self.must_not])

    def answer(self, line: str, hypotheses: list[Hypothesis], *, sought: bool) -> Translation:
        """What the hypotheses say."""
        texts = [self.text(line, one) for one in hypotheses]
        if self.risk:
            drawn = isinstance(self.options, Draws)
            texts, hypotheses = self.risk.choose(texts, hypotheses, drawn=drawn)
        failed, most = sought and not hypotheses, self.options.max_length
        cut = any(len(one.ids) >= most for one in hypotheses[:1])
        return Translation(line, texts or [""], hypotheses, self.shown, failed, cut)

    def text(self, line: str, hypothesis: Hypothesis) -> str:
        """The raw translation that the ids of a hypothesis spell."""
        if self.replaces and self.target.unk_id in hypothesis.ids:
            return replaced(self.shown, line, hypothesis)
        return self.target.decode(hypothesis.ids)

    @torch.no_grad()
    def search(
        self,
        sides: Sequence[Sequence[Sequence[int]]],
        demands: Sequence[Tokens],
        numbers: Sequence[int],
    ) -> list[list[Hypothesis]]:
        """Hypotheses for a batch of sources, given in the ids of each system."""
        model, lengths = self.model(sides, demands)
        options = self.options
        longest = [
            min(options.max_length, _GROWTH * len(row) + _ROOM + demand.size)
            for row, demand in zip(sides[0], demands, strict=True)
        ]
        if isinstance(options, Beam):
            find = partial(beam_search, options=options, source_lengths=lengths)
        else:
            find = partial(
                sample,
                sampling=options.sampling,
                number=options.nbest,
                max_length=options.max_length,
                min_length=options.min_length,
                seed=options.seed,
                numbers=numbers,
            )
        return find(
            model,
            len(longest),
            start_id=self.target.bos_id,
            eos_id=self.target.eos_id,
            constraints=constraints(demands, longest),
            attention=self.attention or self.replaces,
        )

    def model(
        self, sides: Sequence[Sequence[Sequence[int]]], demands: Sequence[Tokens] | None = None
    ) -> tuple[Selectable, Tensor]:
        """All that has a say in the next word, and the lengths of the sources it looks at.

        Args:
            sides: ids of the sources, for each system.
            demands: of each source, for a choice among the shortlist's words and what is demanded;
                None for one among all.
        """
        padded = [
            pad(rows, system.source.eos_id)
            for system, rows in zip(self.systems, sides, strict=True)
        ]
        words = self.words([ids for ids, _ in padded], demands) if demands else None
        given = [
            system.model.given(*source, words)
            for system, source in zip(self.systems, padded, strict=True)
        ]
        model: Selectable = given[0]
        if len(given) > 1:
            model = Ensemble(given, self.weights, looking=self.looking)
        if self.fusion:
            model = shallow_fusion(model, self.fusion.language, self.fusion.weight)
        return model, padded[self.systems.index(self.shown)][1]

    def words(self, sources: Sequence[Tensor], demands: Sequence[Tokens]) -> Tensor | None:
        """Which target tokens each translation may have, (B, V); None for all."""
        if not self.shortlist:
            return None
        lists = [
            system.shortlist.words(ids, self.shortlist)
            for system, ids in zip(self.systems, sources, strict=True)
        ]
        words = torch.stack(lists).any(0)
        for own, demand in zip(words, demands, strict=True):
            own[[*demand.prefix, *chain(*demand.must)]] = True
        return words


def _is_visible(character: str) -> bool:
    """Whether it is neither white space nor a mark that prints nothing."""
    return character.isprintable() and not character.isspace()
