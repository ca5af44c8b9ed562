"""Figures of merit, each with its definition."""

from penstock.metrics.perplexity import Perplexity

__all__ = ["Perplexity"]
