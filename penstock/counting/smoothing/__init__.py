"""Smoothing methods, one family a file."""

from penstock.counting.smoothing.base import SMOOTHINGS, EstimationWarning, Smoothing
from penstock.counting.smoothing.discounting import (
    AbsoluteDiscounting,
    KneserNey,
    ModifiedKneserNey,
)
from penstock.counting.smoothing.katz import Katz
from penstock.counting.smoothing.relative import AddDelta, MaximumLikelihood, StupidBackoff
from penstock.counting.smoothing.witten_bell import WittenBell

__all__ = [
    "SMOOTHINGS",
    "AbsoluteDiscounting",
    "AddDelta",
    "EstimationWarning",
    "Katz",
    "KneserNey",
    "MaximumLikelihood",
    "ModifiedKneserNey",
    "Smoothing",
    "StupidBackoff",
    "WittenBell",
]
