"""The encoder-decoder: from a sentence to the probability of its translation."""

from __future__ import annotations

from penstock.models.translator.model import Features, Translator
from penstock.models.translator.source import Source

__all__ = ["Features", "Source", "Translator"]
