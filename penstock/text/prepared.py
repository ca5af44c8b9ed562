"""The tokens of a translator for running text, for a language model that is to advise it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import numpy as np

from penstock.text.sentence import SentenceTokeniser
from penstock.text.tokenise import Ids, Tokeniser

__all__ = ["Prepared"]


class Prepared(Tokeniser):
    """A tokeniser of text whose every line is read as a :class:`SentenceTokeniser` reads it.

    >>> sentences = SentenceTokeniser.train(["It's late."], "word")
    >>> [sentences.tokeniser.tokens[id] for id in Prepared(sentences).encode_lines(["It's."])]
    ['It', "'s", '.', '<eos>']
    """

    def __init__(self, sentences: SentenceTokeniser) -> None:
        inner = sentences.tokeniser
        self.kind, self.special = inner.kind, inner.special  # type: ignore[misc]
        super().__init__(inner.library)
        self.sentences = sentences

    def encode_text(self, text: str) -> Ids:
        lines = map(self.sentences.prepare, text.split("\n"))
        return self.sentences.tokeniser.encode_text("\n".join(lines))

    def decode(self, ids: Sequence[int] | Ids) -> str:
        ends = np.flatnonzero(np.asarray(ids) == self.eos_id) + 1
        return "\n".join(map(self.sentences.decode, np.split(np.asarray(ids, int), ends)))

    def as_json(self) -> str:
        preparation = asdict(self.sentences.preparation)
        return json.dumps(json.loads(super().as_json()) | {"preparation": preparation}, indent=2)

    @property
    def tokens(self) -> list[str]:
        return self.sentences.tokeniser.tokens

    @cached_property
    def fingerprint(self) -> str:
        return self.sentences.fingerprint
