"""Figures of merit, each with its definition."""

from penstock.metrics.bootstrap import Bootstrap
from penstock.metrics.perplexity import Perplexity

__all__ = ["Bootstrap", "Perplexity"]
