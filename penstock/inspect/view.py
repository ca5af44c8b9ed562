"""A text as a trained model sees it: what each token costs, and what happens inside."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np

from penstock.inspect import breakdown, figures, heatmaps
from penstock.inspect.content import Picture
from penstock.inspect.trace import gate_activity, gradient_flow
from penstock.search.sample import Sampling, generate
from penstock.text.tokenise import Tokeniser

__all__ = ["BUDGET", "View"]

BUDGET = 20_000
"""Tokens that the perplexities by frequency and by position are measured on."""
_WHERE, _INSIDE = "Where it is good, and where not", "Inside"
_TRACED = 1000
_STREAM = 500
_SHOWN_LAYERS = 4
# Tokens of a sample, and most words of a sentence under a heat map, by kind of token.
_LENGTHS = {"word": (60, 24), "bpe": (90, 28), "unigram": (90, 28)}
_SPELT = (240, 40)


class View:
    """One text under one model.

    Args:
        model: a language model; left as it was.
        tokeniser: of its text.
        ids: the text, of which the first 20,000 tokens are read.
        sentences: whether the state starts anew at every line.
    """

    def __init__(
        self, model: Any, tokeniser: Tokeniser, ids: np.ndarray, *, sentences: bool = False
    ) -> None:
        self.model, self.tokeniser, self.eos = model, tokeniser, tokeniser.eos_id
        anew = self.eos if sentences else None
        ids = np.asarray(ids[:BUDGET])
        self.streams = max(1, min(20, len(ids) // _STREAM))
        self.nats = breakdown.read_losses(model, ids, self.eos, streams=self.streams, anew=anew)
        self.ids = ids[: len(self.nats)]
        self.read = np.concatenate([[self.eos], self.ids[: _TRACED - 1]])
        self.traces = gate_activity(model, self.read, anew=anew)
        self.many, self.few = _LENGTHS.get(tokeniser.kind, _SPELT)

    def difficulty(self, counts: np.ndarray) -> Iterator[Picture]:
        """Where the text is hard; ``counts`` (V,) are those of the training text."""
        unknown = self.tokeniser.unk_id
        yield Picture(
            _WHERE,
            "Perplexity by frequency",
            "Rare tokens cost most: look at how steeply perplexity falls with every tenfold more "
            "training, and at how much of the text each group makes up (grey bars).",
            figures.frequency(breakdown.by_frequency(self.ids, self.nats, counts, unknown)),
        )
        places = breakdown.places(self.ids, self.eos)
        width = max(1, round(float(np.median(places)) / 10))
        yield Picture(
            _WHERE,
            "Perplexity by position in the sentence",
            "The first words come with little context; look at how far the curve goes on "
            "falling, which is how much of the sentence the model makes use of. Short grey bars "
            "are few tokens: expect noise there.",
            figures.position(breakdown.by_position(self.nats, places, width=width)),
        )

    def inside(self) -> Iterator[Picture]:
        """What the layers do."""
        if flows := gradient_flow(self.model, self.ids, self.eos):
            yield Picture(
                _INSIDE,
                "How far gradients reach",
                "The norm of ∂ loss(t) / ∂ state(t−k), averaged over positions t: a straight line "
                "downwards is a gradient that vanishes exponentially; the flatter the line, "
                "the longer the dependencies that can be learnt.",
                figures.gradient_flow(flows),
            )
        if any(trace.bounds for trace in self.traces):
            yield Picture(
                _INSIDE,
                "Saturation",
                "Share of values within 0.1 of their bounds (0 and 1 for gates, ±1 for tanh): a "
                "forget gate at its upper bound keeps its memory, and whatever lies at a bound "
                "passes little gradient to its own weights.",
                heatmaps.saturation(self.traces),
            )
        yield from self._sentence()

    def passage(self) -> tuple[tuple[str, float], ...]:
        """The text's beginning with the surprisal of each token in bits."""
        shown = slice(2 * self.many)
        words = (self.tokeniser.tokens[id] for id in self.ids[shown])
        return tuple(zip(words, (self.nats[shown] / math.log(2)).tolist(), strict=True))

    def samples(self, seed: int) -> Iterator[tuple[str, str]]:
        """How a text was drawn, and the text, at several temperatures."""
        unknown = [] if self.tokeniser.unk_id is None else [self.tokeniser.unk_id]
        for temperature in (0.5, 0.8, 1.0):
            sampling = Sampling(temperature)
            drawn = generate(self.model, [self.eos], sampling, seed=seed, forbidden=unknown)
            text = self.tokeniser.decode(list(islice(drawn, self.many)))
            yield f"Temperature {temperature:g}", text.strip("\n")

    def _sentence(self) -> Iterator[Picture]:
        """Every layer while it reads one sentence of the text."""
        shown = slice(*_sentence(self.read, self.eos, self.tokeniser.unk_id, self.few))
        words = [self.tokeniser.tokens[id] for id in self.read[shown]]
        for layer in range(1, min(self.model.recurrent.num_layers, _SHOWN_LAYERS) + 1):
            of_layer = [trace for trace in self.traces if trace.layer == layer]
            cut = [dataclasses.replace(trace, values=trace.values[shown]) for trace in of_layer]
            yield Picture(
                _INSIDE,
                f"Layer {layer} reads a sentence",
                "Each column is the step that reads the word below it. Look for gates that react "
                "to punctuation and function words, and for units that hold a value over a "
                "phrase and then let it go.",
                heatmaps.activity(cut, words),
                is_wide=True,
            )


def _sentence(ids: np.ndarray, eos_id: int, unk_id: int | None, longest: int) -> tuple[int, int]:
    """Begin and end of a sentence that fits a figure: few unknown words, and then long.

    The steps are those that read it, from the <eos> before it to its last word.
    """
    starts = np.flatnonzero(ids == eos_id)
    spans = [(int(a), int(b)) for a, b in pairwise(starts)]
    fitting = [(a, b) for a, b in spans if 8 <= b - a <= longest]

    def merit(span: tuple[int, int]) -> tuple[int, int]:
        return -int((ids[slice(*span)] == unk_id).sum()), span[1] - span[0]

    return max(fitting, key=merit) if fitting else (0, min(longest, len(ids)))
