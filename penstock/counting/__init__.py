"""n-gram models: counts, smoothing, files, queries, mixtures."""

from penstock.counting.estimate import estimate
from penstock.counting.model import NGramModel, TokenScore
from penstock.counting.smoothing import SMOOTHINGS, EstimationWarning, Smoothing
from penstock.counting.vocabulary import Vocabulary

__all__ = [
    "SMOOTHINGS",
    "EstimationWarning",
    "NGramModel",
    "Smoothing",
    "TokenScore",
    "Vocabulary",
    "estimate",
]
