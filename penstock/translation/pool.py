"""Translators that write different tokens, as one.

They cannot vote on the next token, because their tokens end at different places.  But each can say
what a whole text costs: what each of them finds is pooled as texts, every one of them scores every
text in its own tokens, and the weighted mean decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from penstock.errors import ConfigError
from penstock.search import Beam, Hypothesis, Risk
from penstock.text import SentenceTokeniser
from penstock.translation.demands import Demand
from penstock.translation.finder import Finder, Translation
from penstock.translation.system import System

__all__ = ["Pool", "check_tokens", "pooled"]


@dataclass(frozen=True)
class Pool:
    """Finders that judge each other's translations.

    Hypotheses are in the tokens of the first finder; their ``score`` and ``log_p`` are the weighted
    means of what all say.

    Attributes:
        finders: each with systems of the same target tokens; they answer with their whole beam.
        weights: of each, their sum is 1.
        nbest: translations answered of each line.
        risk: which of the candidates are answered; the best by score when None.
    """

    finders: Sequence[Finder]
    weights: Sequence[float]
    nbest: int
    risk: Risk | None

    @property
    def target(self) -> SentenceTokeniser:
        """The tokeniser of the hypotheses."""
        return self.finders[0].target

    def window(
        self,
        first: int,
        lines: Sequence[str],
        demands: Sequence[Demand],
        progress: Callable[[int], object],
    ) -> Iterator[Translation]:
        """Translations of some lines, of which the first has that number."""
        silent = [lambda lines: None] * (len(self.finders) - 1)
        found = [
            finder.window(first, lines, demands, told)
            for finder, told in zip(self.finders, [*silent, progress], strict=True)
        ]
        answers = list(zip(*found, strict=True))
        texts = [_texts(own) for own in answers]
        for n, hypotheses in enumerate(self.force(lines, texts)):
            failed = not texts[n] and any(one.failed for one in answers[n])
            cut = any(one.cut for one in answers[n])
            best, their = self.chosen(texts[n], hypotheses)
            yield Translation(lines[n], best or [""], their, self.finders[0].shown, failed, cut)

    def force(self, lines: Sequence[str], texts: Sequence[Sequence[str]]) -> list[list[Hypothesis]]:
        """Given translations of each line as hypotheses."""
        judged = [finder.force(lines, texts) for finder in self.finders]
        return [
            [self.mean(same) for same in zip(*own, strict=True)]
            for own in zip(*judged, strict=True)
        ]

    def mean(self, same: Sequence[Hypothesis]) -> Hypothesis:
        """What all finders say of one text."""
        weighed = list(zip(self.weights, same, strict=True))
        return replace(
            same[0],
            score=sum(weight * one.score for weight, one in weighed),
            log_p=sum(weight * one.log_p for weight, one in weighed),
        )

    def chosen(
        self, texts: list[str], hypotheses: list[Hypothesis]
    ) -> tuple[list[str], list[Hypothesis]]:
        """The best of the texts."""
        if self.risk:
            return self.risk.choose(texts, hypotheses, drawn=False)
        order = sorted(range(len(texts)), key=lambda n: -hypotheses[n].score)[: self.nbest]
        return [texts[n] for n in order], [hypotheses[n] for n in order]


def pooled(finder: Finder) -> Finder | Pool:
    """The finder itself if its systems write the same tokens, else a pool of one for each kind.

    Its weights are taken as shares, whatever their sum; a system of weight 0 is not asked.

    Raises:
        ConfigError: different tokens are to be drawn by chance or advised by a language model; or
            the weights do not fit.
    """
    shares = _shares(finder)
    asked = [(one, share) for one, share in zip(finder.systems, shares, strict=True) if share]
    systems, weights = [one for one, _ in asked], [share for _, share in asked]
    finder, groups = replace(finder, systems=systems, weights=weights), _by_tokens(systems)
    if len(groups) == 1:
        return finder
    options = finder.options
    if finder.fusion or not isinstance(options, Beam):
        what = "a language model" if finder.fusion else "samples"
        raise _others(systems, groups, f" with {what}", "A beam alone can have both.")
    finders, shares = [], []
    for group in groups:
        share = sum(weights[n] for n in group)
        shares.append(share)
        finders.append(
            replace(
                finder,
                systems=[finder.systems[n] for n in group],
                options=replace(options, nbest=options.size),
                weights=[weights[n] / share for n in group],
                risk=None,
            )
        )
    return Pool(finders, shares, options.nbest, finder.risk)


def check_tokens(systems: Sequence[System]) -> None:
    """Refuse systems that do not write the same tokens.

    Raises:
        ConfigError: naming the first that differs.
    """
    groups = _by_tokens(systems)
    if len(groups) > 1:
        raise _others(systems, groups, "", "Train both with the same target tokeniser.")


def _shares(finder: Finder) -> list[float]:
    """The weights of the systems, divided by their sum."""
    weights = finder.weights or [1.0] * len(finder.systems)
    fair = all(0 <= weight < float("inf") for weight in weights) and any(weights)
    if len(weights) != len(finder.systems) or not fair:
        raise ConfigError(
            "translate: expected a weight of 0 or more for each model, some above 0, got "
            f"{weights}."
        )
    return [weight / sum(weights) for weight in weights]


def _by_tokens(systems: Sequence[System]) -> list[list[int]]:
    """Numbers of the systems, those of the same target tokens together."""
    groups: dict[str, list[int]] = {}
    for number, system in enumerate(systems):
        groups.setdefault(system.target.tokeniser.fingerprint, []).append(number)
    return list(groups.values())


def _others(
    systems: Sequence[System], groups: Sequence[Sequence[int]], where: str, advice: str
) -> ConfigError:
    return ConfigError(
        f"{systems[groups[1][0]].path}: expected the target tokens of {systems[0].path}{where}, "
        f"got others. {advice}"
    )


def _texts(answers: Sequence[Translation]) -> list[str]:
    """What was found, each text once."""
    return list(dict.fromkeys(text for one in answers if one.hypotheses for text in one.texts))
