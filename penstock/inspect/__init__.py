"""Looking into a model: traces of gates and gradients, figures, and the report of a run."""

from penstock.inspect.content import Picture, ReportData, Result, Run
from penstock.inspect.report import gather, write_report
from penstock.inspect.trace import Flow, Trace, gate_activity, gradient_flow

__all__ = [
    "Flow",
    "Picture",
    "ReportData",
    "Result",
    "Run",
    "Trace",
    "gate_activity",
    "gather",
    "gradient_flow",
    "write_report",
]
