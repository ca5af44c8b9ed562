"""A language model that advises a translator while it searches."""

from __future__ import annotations

from typing import NamedTuple

from penstock.errors import ConfigError, DataError
from penstock.search import Renumbered, Selectable
from penstock.text import SentenceTokeniser, Tokeniser

__all__ = ["Fusion", "fitted"]

_ADVICE = "Train one on text of the target with --tokeniser and the translator."


class Fusion(NamedTuple):
    """Shallow fusion: log p(y | x) + weight log p(y), token by token (Gulcehre et al. 2015).

    Attributes:
        language: a language model of the translator's target tokens.
        weight: >= 0.
        lacking: target tokens that the language model does not know.
    """

    language: Selectable
    weight: float
    lacking: int


def fitted(
    language: Selectable,
    own: Tokeniser,
    target: SentenceTokeniser,
    weight: float,
    *,
    name: str,
) -> Fusion:
    """A language model asked in the tokens of a translator.

    Tokens are told by their text.  Words and characters that the language model does not know have
    the probability of its ``<unk>``; pieces must be the very same.

    Args:
        own: the language model's tokeniser.
        target: the translator's.
        name: of the language model, for messages.

    Raises:
        ConfigError: a weight that cannot be.
        DataError: its tokens are of another kind, or are other pieces, or it knows none of them.
    """
    if not 0 <= weight < float("inf"):
        raise ConfigError(f"translate: expected lm_weight >= 0, got lm_weight={weight}.")
    tokens, known = target.tokeniser.tokens, own.tokens
    if own.kind != target.tokeniser.kind:
        raise DataError(
            f"{name}: expected a language model of {target.tokeniser.kind} tokens, as the "
            f"translator writes, got {own.kind} tokens. {_ADVICE}"
        )
    lacking = set(tokens) - set(known)
    if own.unk_id is None and set(tokens) != set(known):
        raise DataError(
            f"{name}: expected the {len(tokens):,} pieces that the translator writes, got "
            f"{len(known):,}, {len(lacking):,} of the translator's not among them. {_ADVICE}"
        )
    if len(tokens) - len(lacking) <= len(own.special):
        raise DataError(
            f"{name}: expected a language model of the translator's target, got one that knows "
            f"none of its {len(tokens):,} {own.kind}s. {_ADVICE}"
        )
    model = Renumbered.by_text(language, known, tokens, unknown=own.unk_id)
    return Fusion(model, weight, len(lacking))
