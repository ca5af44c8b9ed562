"""Search with any model that can score a next symbol."""

from penstock.search.beam import beam_search
from penstock.search.constraints import Constraints, least_symbols
from penstock.search.draws import Draws
from penstock.search.ensemble import Ensemble, shallow_fusion
from penstock.search.force import force
from penstock.search.hypothesis import Hypothesis
from penstock.search.model import NextSymbol, Selectable
from penstock.search.nbest import (
    Entry,
    by_sentence,
    read_nbest,
    with_feature,
    write_nbest,
)
from penstock.search.options import Beam
from penstock.search.penalty import Score
from penstock.search.renumber import Renumbered
from penstock.search.rescore import rescored
from penstock.search.risk import Risk, minimum_risk
from penstock.search.sample import Sampling, generate, sample
from penstock.search.tree import Tree

__all__ = [
    "Beam",
    "Constraints",
    "Draws",
    "Ensemble",
    "Entry",
    "Hypothesis",
    "NextSymbol",
    "Renumbered",
    "Risk",
    "Sampling",
    "Score",
    "Selectable",
    "Tree",
    "beam_search",
    "by_sentence",
    "force",
    "generate",
    "least_symbols",
    "minimum_risk",
    "read_nbest",
    "rescored",
    "sample",
    "shallow_fusion",
    "with_feature",
    "write_nbest",
]
