"""Shortlists: the target tokens that may stand in the translation of a sentence.

A softmax over the likely translations of a sentence's tokens and the most common tokens takes a
fraction of the time of one over all (Jean et al. 2015, section 3.3).  The translations are those of
IBM model 1 (:mod:`penstock.translation.lexicon`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from penstock import storage
from penstock.errors import ConfigError, DataError
from penstock.text import PairCorpus
from penstock.translation.lexicon import Lexicon, lexicon

__all__ = ["FILE", "Shortlist"]

FILE = "shortlist.safetensors"
MOST = 50
"""Translations kept of each source token."""
COMMON = 100
"""Tokens that may stand everywhere."""


@dataclass(frozen=True)
class Shortlist:
    """Likely translations of every source token.

    Attributes:
        likely: (source tokens, MOST), the likeliest first. Common ones are not among them, but
            fill the places where there are fewer.
        common: ``<eos>``, ``<unk>`` and the COMMON most frequent target tokens.
        vocab_size: number of target tokens.
        made_for: fingerprints of the tokenisers.
    """

    likely: Tensor
    common: Tensor
    vocab_size: int
    made_for: tuple[str, ...]

    @classmethod
    def learn(cls, corpus: PairCorpus) -> Shortlist:
        """That of a training text."""
        source, target = corpus.src.tokeniser, corpus.tgt.tokeniser
        counts = np.bincount(corpus.tgt.ids, minlength=target.vocab_size)
        marks = [mark for mark in (target.eos_id, target.unk_id) if mark is not None]
        frequent = np.argsort(-counts, kind="stable")[:COMMON].tolist()
        common = torch.tensor(list(dict.fromkeys([*marks, *frequent])))
        likely = _likeliest(lexicon(corpus), common, source.vocab_size)
        return cls(likely, common, target.vocab_size, _prints(corpus))

    @classmethod
    def build(cls, corpus: PairCorpus, folder: Path) -> Shortlist:
        """That of a training text, from ``folder`` if it was kept there."""
        with suppress(DataError):
            kept = cls.load(folder)
            if kept.made_for == _prints(corpus):
                return kept
        made = cls.learn(corpus)
        tensors = {"likely": made.likely.int(), "common": made.common.int()}
        storage.save(folder / FILE, tensors, [made.vocab_size, *made.made_for])
        return made

    @classmethod
    def load(cls, folder: Path) -> Shortlist:
        """That of a translator's folder.

        Raises:
            DataError: it is missing or damaged.
        """
        if not (folder / FILE).exists():
            raise DataError(
                f"{folder}: has no {FILE}, for it was trained before there were shortlists. The "
                "command that trained it makes one, without training again."
            )
        tensors, (vocab_size, *made_for) = storage.load(folder / FILE)
        likely, common = tensors["likely"].long(), tensors["common"].long()
        return cls(likely, common, vocab_size, tuple(made_for))

    def words(self, source: Tensor, number: int) -> Tensor:
        """Which tokens may stand in the translation of each sentence.

        Args:
            source: ids, as :func:`penstock.text.pad` pads them.
            number: translations of each.

        Shapes:
            source (S, B) -> (B, target tokens), bool

        Raises:
            ConfigError: there are not so many.
        """
        if not 0 < number <= MOST:
            raise ConfigError(f"shortlist: expected from 1 to {MOST} tokens, got {number}.")
        words = torch.zeros(source.shape[1], self.vocab_size, dtype=torch.bool)
        words[:, self.common] = True
        return words.scatter_(1, self.likely[source.T, :number].flatten(1), True)


def _likeliest(found: Lexicon, common: Tensor, source_size: int) -> Tensor:
    """The likeliest translations of every source token, none of them common: (tokens, MOST)."""
    rare = ~np.isin(found.target, common.numpy())
    source, target, p = (column[rare] for column in found)
    order = np.lexsort((-p, source))  # the source is ascending already
    rank = np.arange(len(order)) - np.searchsorted(source, source)
    likely, kept = np.full((source_size, MOST), int(common[0])), rank < MOST
    likely[source[kept], rank[kept]] = target[order][kept]
    return torch.from_numpy(likely)


def _prints(corpus: PairCorpus) -> tuple[str, ...]:
    return tuple(side.tokeniser.fingerprint for side in (corpus.src, corpus.tgt))
