"""The card of a translator: what it is, what it was trained on, how good it is, how to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.training.translate_run import TranslatorRun

__all__ = ["card"]


def card(run: TranslatorRun) -> str:
    """The text of ``card.md``."""
    model, folder, settings = run.system.model, run.folder, run.settings
    count = sum(parameter.numel() for parameter in model.parameters())
    corpus, summary = run.corpora["train"], run.summary
    rows = [
        _row(part, score.name, score.value, score.signature)
        for part, found in run.results.items()
        for score in found.scores
    ]
    costs = {part: found.perplexity for part, found in run.results.items()}
    rows += [
        _row(part, "perplexity", cost.perplexity, cost.signature)
        for part, cost in costs.items()
        if cost
    ]
    return "\n".join(
        [
            f"# A translator: {' to '.join(settings.language_pair)}",
            "",
            f"{count:,} parameters: {model.about()} ({settings.tokens}).",
            f"Trained on {len(corpus):,} pairs, {len(corpus.tgt.ids):,} target tokens "
            f"({corpus.counts}), {summary.epochs} epochs, best after epoch {summary.best_epoch}, "
            f"{summary.seconds:.0f} s. Measured with a beam of {settings.beam}.",
            "",
            "| text | metric | figure | definition |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "It knows only the languages, topics and biases of those pairs.",
            "",
            f"    penstock translate {folder} < in > out",
            f"    penstock evaluate {folder} --src FILE --tgt FILE",
            "",
        ]
    )


def _row(part: str, name: str, figure: float, definition: str) -> str:
    """A row of the table; bars of a signature would end its cell."""
    bars = definition.replace("|", "\\|")
    return f"| {part} | {name} | {figure:.2f} | {bars} |"
