"""Looking into a model: traces of gates and gradients, attention, beams, figures, reports."""

from penstock.inspect.attention import Attention, attention_maps
from penstock.inspect.beam_tree import BeamTree, write_beam_trees
from penstock.inspect.content import Picture, ReportData, Result, Run
from penstock.inspect.lengths import score_by_length
from penstock.inspect.phrases import PHRASES, PhraseSet, phrase_map
from penstock.inspect.report import gather, write_report
from penstock.inspect.save import save
from penstock.inspect.trace import Flow, Trace, gate_activity, gradient_flow
from penstock.inspect.translator import alignments, encoder_states, search_trees
from penstock.translation.outputs import of_list, rescore, searched

__all__ = [
    "PHRASES",
    "Attention",
    "BeamTree",
    "Flow",
    "PhraseSet",
    "Picture",
    "ReportData",
    "Result",
    "Run",
    "Trace",
    "alignments",
    "attention_maps",
    "encoder_states",
    "gate_activity",
    "gather",
    "gradient_flow",
    "of_list",
    "phrase_map",
    "rescore",
    "save",
    "score_by_length",
    "search_trees",
    "searched",
    "write_beam_trees",
    "write_report",
]
