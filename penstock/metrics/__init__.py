"""Figures of merit, each with its definition."""

from penstock.metrics.bootstrap import Bootstrap
from penstock.metrics.lengths import LengthBin, by_length
from penstock.metrics.oracle import oracle
from penstock.metrics.perplexity import Perplexity
from penstock.metrics.significance import p_value
from penstock.metrics.translation import Metric, Score
from penstock.metrics.translators import Translated, compare_translated

__all__ = [
    "Bootstrap",
    "LengthBin",
    "Metric",
    "Perplexity",
    "Score",
    "Translated",
    "by_length",
    "compare_translated",
    "oracle",
    "p_value",
]
