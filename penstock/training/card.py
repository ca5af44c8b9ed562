"""What a finished run leaves to read: ``results.json`` for programs, ``card.md`` for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.files import write_atomic
from penstock.training.folder import RESULTS

if TYPE_CHECKING:
    from penstock.training.run import LanguageRun
    from penstock.training.state import Summary

__all__ = ["card", "json_text", "write_results"]


def write_results(folder: Path, summary: Summary, results: Mapping[str, Any], text: str) -> None:
    """Write both files.

    Args:
        results: what was measured of each text, as plain data.
        text: of the card.
    """
    content = {"summary": asdict(summary), "results": results}
    write_atomic(folder / "card.md", text.encode(errors="replace"))
    write_atomic(folder / RESULTS, json_text(content, indent=2).encode())


def json_text(content: Any, *, indent: int | None = None) -> str:
    """JSON as its standard has it: a number that is not finite becomes null.

    >>> json_text({"loss": float("inf"), "cell": "naïve"})
    '{"loss": null, "cell": "naïve"}'
    """
    finite = json.loads(json.dumps(content), parse_constant=lambda name: None)
    return json.dumps(finite, indent=indent, ensure_ascii=False)


def card(run: LanguageRun) -> str:
    """The model's card: what it is, what it was trained on, how good it is, how to use it."""
    model, folder = run.model, run.folder
    count = sum(parameter.numel() for parameter in model.parameters())
    statistics = run.corpora["train"].statistics
    rows = [
        f"| {part} | {found.perplexity:.2f} | {found.bits_per_character:.3f} | {found.signature} |"
        for part, found in run.results.items()
    ]
    return "\n".join(
        [
            f"# A language model: {model.program.name}",
            "",
            f"{count:,} parameters: {model.about()} ({run.tokeniser.kind}).",
            f"Trained on {statistics.tokens:,} tokens in {statistics.lines:,} lines, "
            f"{run.summary.epochs} epochs, best after epoch {run.summary.best_epoch}, "
            f"{run.summary.seconds:.0f} s.",
            "",
            "| text | perplexity | bits per character | definition |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "It knows only the language, topics and biases of that text.",
            "",
            f"    penstock evaluate {folder} --test FILE",
            f"    penstock generate {folder} --prompt 'the'",
            "",
        ]
    )
