"""What a text costs under a log-linear mixture of models; whole distributions are read for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from penstock.counting.log_linear import Pieces, log_linear_log_p, log_linear_weights
from penstock.errors import ConfigError
from penstock.progress import Progress, Watch
from penstock.scoring.counted import Counted
from penstock.scoring.measure import Measured, known_tokens, read_by
from penstock.scoring.network import Array, Network

if TYPE_CHECKING:
    from penstock.scoring.losses import Adaption

__all__ = ["NAME", "fit", "measure"]

NAME = "log-linear"
MOST = 1 << 21
"""Probabilities of a model in memory at a time."""
Models = Sequence[Network | Counted]


def fit(models: Models, files: Sequence[Path], adaption: Adaption, watch: Watch) -> Array:
    """The weights under which the text of the files is most probable.

    Raises:
        ConfigError: the models are to adapt.
        DataError: a file cannot be read, or a model gives some word no probability.
    """
    if adaption.cache or adaption.dynamic:
        raise ConfigError(
            "evaluate: expected --mix em or equal with a cache or dynamic evaluation, got "
            f"--mix {NAME}. Leave them out."
        )
    with read_by(models, files, watch) as corpus:

        def read() -> Iterator[tuple[Array, Array]]:
            with watch("fitting weights") as told:
                yield from _pieces(models, corpus.ids, adaption, told)

        return log_linear_weights(read, len(models))


def measure(
    models: Models, weights: Array, files: Sequence[Path], adaption: Adaption, watch: Watch
) -> Measured:
    """Score the text of the files with the mixture."""
    with read_by(models, files, watch) as corpus, watch("evaluating") as told:
        pieces = _pieces(models, corpus.ids, adaption, told)
        log_p = log_linear_log_p(pieces, weights, len(corpus.ids))
        known = known_tokens(corpus.ids, models[0].tokeniser)
        characters = corpus.statistics.characters
    context = " | ".join(dict.fromkeys(model.context(adaption) for model in models))
    return Measured(log_p[None], known, characters, context, 1.0)


def _pieces(models: Models, ids: Array, adaption: Adaption, told: Progress) -> Pieces:
    """What all models say of a text; words are numbered as in the first model."""
    first = models[0].tokeniser.tokens
    steps = int(np.clip(MOST // len(first), 1, 256))
    readings, places = [], []
    for model in models:
        number = {token: id for id, token in enumerate(model.tokeniser.tokens)}
        place = np.array([number[token] for token in first])
        readings.append(model.distributions(place[ids], steps, alone=adaption.alone))
        places.append(place)
    done = 0
    for piece in zip(*readings, strict=True):
        log_ps = [log_p.take(place, 1) for log_p, place in zip(piece, places, strict=True)]
        words = ids[done : done + steps]
        yield np.stack(log_ps), words
        done += len(words)
        told(done, len(ids))
