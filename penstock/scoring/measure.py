"""What a text costs under several models at once, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from penstock.counting.model import IMPROPER
from penstock.counting.vocabulary import BOS, EOS
from penstock.errors import DataError
from penstock.progress import Watch
from penstock.scoring.counted import Counted
from penstock.scoring.network import Array, Network

if TYPE_CHECKING:
    from penstock.metrics import Perplexity
    from penstock.scoring.losses import Adaption
    from penstock.text import Corpus, Tokeniser

__all__ = [
    "Measured",
    "check_unmarked",
    "improper",
    "known_tokens",
    "measure",
    "read_by",
    "tokenised",
]


@dataclass(frozen=True)
class Measured:
    """A text under K models.

    Attributes:
        log_ps: (K, T) log p of each token under each model.
        known: (T,) whether a token is none of ``<unk>``.
        characters: of the text.
        context: what the models knew.
        mass: sum of the probabilities of an n-gram model that is furthest from 1.
    """

    log_ps: Array
    known: Array
    characters: int
    context: str
    mass: float

    def cost(self, weights: Array) -> tuple[Perplexity, Perplexity]:
        """Of the text under the linear mixture, and of its tokens that are none of ``<unk>``."""
        from penstock.counting.mixture import linear
        from penstock.metrics import Perplexity

        log_p = linear(self.log_ps, weights) if len(weights) > 1 else self.log_ps[0]
        whole = Perplexity(
            nats=-float(log_p.sum()),
            tokens=len(log_p),
            characters=self.characters,
            unknown=int((~self.known).sum()),
            context=self.context,
        )
        return whole, Perplexity(-float(log_p[self.known].sum()), int(self.known.sum()))


def measure(
    models: Sequence[Network | Counted], files: Sequence[Path], adaption: Adaption, watch: Watch
) -> Measured:
    """Score the text of the files with each model.

    Raises:
        DataError: a file cannot be read, holds no word that the models know, or has the marks of
            n-grams in it.
    """
    rows, mass = [], 1.0
    for model in models:
        with read_by([model], files, watch) as corpus:
            with watch(f"evaluating {model.path}") as told:
                rows.append(model.log_probs(corpus.ids, adaption, told))
            if isinstance(model, Counted):
                mass = max(mass, model.mass(corpus.ids), key=lambda found: abs(found - 1))
            known = known_tokens(corpus.ids, model.tokeniser)
            characters = corpus.statistics.characters
    context = " | ".join(dict.fromkeys(model.context(adaption) for model in models))
    return Measured(np.stack(rows), known, characters, context, mass)


def check_unmarked(files: Sequence[Path]) -> None:
    """Refuse text of words with the marks of the ends of sentences in it.

    Raises:
        DataError: naming the first line that has one.
    """
    from penstock.text import read_lines

    for path in files:
        for number, line in enumerate(read_lines(path), 1):
            if (BOS in line or EOS in line) and (found := {BOS, EOS} & set(line.split())):
                raise DataError(
                    f"{path}:{number}: expected no {min(found)}, which an n-gram model puts at the "
                    "ends of a line itself. Take it out of the text."
                )


def improper(mass: float) -> str:
    """What is to be said of scores that sum to ``mass`` after some words; nothing of 1."""
    if abs(mass - 1) <= IMPROPER:
        return ""
    return f"These are no probabilities: after some words they sum to {mass:.3g}."


def known_tokens(ids: Array, tokeniser: Tokeniser) -> Array:
    """Which tokens of a text are none of ``<unk>``: (T,) -> (T,) bool."""
    if tokeniser.unk_id is None:
        return np.ones(len(ids), bool)
    return np.asarray(ids != tokeniser.unk_id)


@contextmanager
def read_by(
    models: Sequence[Network | Counted], files: Sequence[Path], watch: Watch
) -> Iterator[Corpus]:
    """The text of the files as the first of some models reads it.

    Raises:
        DataError: as :func:`tokenised`; or one is of n-grams of words, whose marks are in the text.
    """
    if any(isinstance(m, Counted) and m.tokeniser.kind == "word" for m in models):
        check_unmarked(files)
    with tokenised(files, models[0].tokeniser, watch) as corpus:
        yield corpus


@contextmanager
def tokenised(files: Sequence[Path], tokeniser: Tokeniser, watch: Watch) -> Iterator[Corpus]:
    """The text of the files as ids, which go through a file: any size fits in little memory.

    Raises:
        DataError: a file cannot be read, or holds no token that the tokeniser knows.
    """
    from penstock.text import Corpus

    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as place:
        with watch("tokenising") as told:
            corpus = Corpus.build(list(files), tokeniser, place, "text", progress=told)
        yield corpus.check_known(", ".join(map(str, files)))
