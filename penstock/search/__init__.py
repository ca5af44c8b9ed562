"""Search with any model that can score a next symbol: sampling now, beams later."""

from penstock.search.sample import Sampling, generate

__all__ = ["Sampling", "generate"]
