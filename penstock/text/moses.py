"""Words and marks set apart as Moses does, and put together again, by the sacremoses library."""

from __future__ import annotations

from functools import cache

__all__ = ["Moses"]


class Moses:
    """What the scripts of the Moses toolkit do to a line of one language (Koehn et al. 2007).

    Args:
        language: two letters, "en" for one; a language the library has no rules for is cut as
            English is.

    >>> moses = Moses("en")
    >>> moses.tokenise("It's Mr. Smith, isn't it?")
    "It 's Mr. Smith , isn 't it ?"
    >>> moses.detokenise("It 's Mr. Smith , isn 't it ?")
    "It's Mr. Smith, isn't it?"
    """

    def __init__(self, language: str) -> None:
        # The library compiles its rules on import: half a second that only its users pay.
        from sacremoses import MosesDetokenizer, MosesPunctNormalizer, MosesTokenizer

        self._tokeniser, self._plain = MosesTokenizer(language), MosesTokenizer(language)
        # The rules for apostrophes take half the time, and most lines have none.
        self._plain.lang = "none"
        for tokeniser in (self._tokeniser, self._plain):
            # The library makes these sets anew for each word with a full stop.
            tokeniser.islower = frozenset(tokeniser.IsLower).issuperset
            letters = frozenset(tokeniser.IsAlpha)
            tokeniser.isanyalpha = lambda text, letters=letters: not letters.isdisjoint(text)
        self._detokeniser = MosesDetokenizer(language)
        self._normaliser = MosesPunctNormalizer(language)

    @staticmethod
    @cache
    def of(language: str) -> Moses:
        """The one for a language, made once."""
        return Moses(language)

    def tokenise(self, line: str) -> str:
        """The line with one space between words and marks, and no control characters."""
        chosen = self._tokeniser if "'" in line else self._plain
        words: str = chosen.tokenize(line, escape=False, return_str=True)
        return words

    def detokenise(self, words: str) -> str:
        """The line that words and marks with spaces between them make."""
        line: str = self._detokeniser.detokenize(words.split(), unescape=False)
        return line

    def normalise(self, line: str) -> str:
        """The line with typographic quotes, dashes and spaces made plain ones."""
        normalised: str = self._normaliser.normalize(line)
        return normalised
