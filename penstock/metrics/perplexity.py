"""Perplexity: the inverse geometric mean probability of a token.

Lecture 002, equations 8 and 9: J = -1/T sum log p(w_t | w_1 ... w_{t-1}), perplexity = 2^J
with J in bits, which is exp(J) with J in nats.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

__all__ = ["Perplexity"]


@dataclass(frozen=True)
class Perplexity:
    """What a text costs under a model.

    Attributes:
        nats: sum of -log p over all tokens.
        tokens: how many tokens were predicted; each ``<eos>`` counts as one.
        characters: of the text, newlines included (0: unknown).
        unknown: how many of the tokens are ``<unk>``; they are predicted like any other.
        context: what the model knew: "text" when the state runs through the whole text,
            "sentence" when it starts anew at every line; with how it adapted, if it did.

    Example:
        >>> fair_coin = Perplexity(nats=8 * math.log(2), tokens=8)
        >>> round(fair_coin.perplexity, 6), round(fair_coin.bits_per_token, 6)
        (2.0, 1.0)
    """

    nats: float
    tokens: int
    characters: int = 0
    unknown: int = 0
    context: str = "text"

    @property
    def nats_per_token(self) -> float:
        """J in nats."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def perplexity(self) -> float:
        """exp(J)."""
        per_token = self.nats_per_token
        return math.exp(per_token) if not per_token > 700 else math.inf

    @property
    def bits_per_token(self) -> float:
        """J in bits."""
        return self.nats_per_token / math.log(2)

    @property
    def bits_per_character(self) -> float:
        """Bits of the whole text divided by its characters."""
        return self.nats / math.log(2) / self.characters if self.characters else math.nan

    @property
    def signature(self) -> str:
        """The definition in one line, to stand beside the number."""
        return (
            f"perplexity = exp(nats / token); {self.tokens} tokens with <eos>, "
            f"{self.unknown} of them <unk>, all predicted; context: {self.context}"
        )

    def as_dict(self) -> dict[str, float | int | str]:
        """All figures by name, for JSON."""
        return {
            **asdict(self),
            "nats_per_token": self.nats_per_token,
            "perplexity": self.perplexity,
            "bits_per_token": self.bits_per_token,
            "bits_per_character": self.bits_per_character,
            "signature": self.signature,
        }
