"""What is done to a raw line before it is cut into tokens, and undone after."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import unknown
from penstock.text.moses import Moses

__all__ = ["PRETOKENISE", "Preparation"]

PRETOKENISE = ("moses", "none", "marks")


@dataclass(frozen=True)
class Preparation:
    """What is done to a line before it is cut into tokens, and undone after.

    Attributes:
        pretokenise: "moses" sets words and marks apart and puts them together again as the Moses
            scripts do, which loses double spaces and control characters; "none" takes what stands
            between spaces as it is, for text that is tokenised already; "marks" lets the pieces
            end where letters, digits and marks meet, so that every raw text comes back as it was
            (kinds bpe and unigram).
        lowercase: make the line lower case; it stays so.
        normalise: make typographic quotes and dashes plain ones first, by the Moses script.
        language: two letters, for the rules of Moses.
    """

    pretokenise: str = "moses"
    lowercase: bool = False
    normalise: bool = False
    language: str = "en"

    def __post_init__(self) -> None:
        if self.pretokenise not in PRETOKENISE:
            raise unknown("SentenceTokeniser", "pretokenise", self.pretokenise, PRETOKENISE)

    def apply(self, line: str) -> str:
        """The line with spaces between its words."""
        line = line.replace("\n", " ")
        if self.normalise:
            line = Moses.of(self.language).normalise(line)
        if self.pretokenise == "moses":
            line = Moses.of(self.language).tokenise(line)
        return line.lower() if self.lowercase else line

    def undo(self, words: str) -> str:
        """The line that words with spaces between them make."""
        line = words.replace("\n", " ")
        return Moses.of(self.language).detokenise(line) if self.pretokenise == "moses" else line
