"""What a text holds, counted block by block."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from penstock.text.tokenise import Ids, Tokeniser

__all__ = ["Statistics"]


@dataclass(frozen=True)
class Statistics:
    """What a text holds.

    Attributes:
        tokens: tokens, the ``<eos>`` of each line among them.
        lines: lines.
        words: stretches between white space, whatever the tokeniser.
        characters: code points, the end of each line counted as one.
        bytes: the same in UTF-8.
        unknown: tokens that are ``<unk>``, whether the text says so or the vocabulary lacks them.
    """

    tokens: int = 0
    lines: int = 0
    words: int = 0
    characters: int = 0
    bytes: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, text: str, ids: Ids, tokeniser: Tokeniser) -> Statistics:
        """The counts of one block of whole lines and its ids."""
        return cls(
            tokens=len(ids),
            lines=text.count("\n"),
            words=len(text.split()),
            characters=len(text),
            bytes=len(text) if text.isascii() else len(text.encode(errors="replace")),
            unknown=0 if tokeniser.unk_id is None else int((ids == tokeniser.unk_id).sum()),
        )

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))
