"""Forced decoding: what given targets cost, and where the model looked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from penstock.errors import ConfigError
from penstock.search.hypothesis import Hypothesis
from penstock.search.model import Selectable, device_of
from penstock.search.penalty import Score
from penstock.search.roll import roll

__all__ = ["force"]

ROWS = 512
"""Targets scored side by side."""


@torch.no_grad()
def force(
    model: Selectable,
    targets: Sequence[Sequence[Sequence[int]]],
    *,
    start_id: int,
    eos_id: int,
    score: Score | None = None,
    source_lengths: Tensor | None = None,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    """The targets of each sentence as hypotheses, in their order.

    Args:
        model: whose ``start`` knows the sentences.
        targets: for each sentence any number of targets, without start and end.
        start_id: the symbol before the first.
        eos_id: the symbol that ends each.
        score: what the score is, as ``Beam.score()`` gives it; by default the log-probability.
        source_lengths: (B,), words of each source, for the coverage penalty: all S when None.
        attention: whether the attention is kept.

    Raises:
        ConfigError: a target has the end in it, or what is no symbol of the model.
    """
    flat = [(sentence, list(ids)) for sentence, several in enumerate(targets) for ids in several]
    _check(flat, eos_id)
    answers: list[list[Hypothesis]] = [[] for _ in targets]
    if not flat:
        return answers
    state, device = model.start(len(targets)), device_of(model)
    score, looks = score or Score(), attention or bool(score and score.coverage)
    order = sorted(range(len(flat)), key=lambda n: len(flat[n][1]))  # of a length side by side
    scored: dict[int, Hypothesis] = {}
    for first in range(0, len(flat), ROWS):
        places = order[first : first + ROWS]
        rows = torch.tensor([flat[n][0] for n in places], device=device)
        ids = [flat[n][1] for n in places]
        found = _forced(model, model.select(state, rows), ids, start_id, eos_id, looks)
        for n, hypothesis in zip(places, found, strict=True):
            words = None if source_lengths is None else int(source_lengths[flat[n][0]])
            value = score.of(hypothesis, words)
            seen = hypothesis.attention if attention else None
            scored[n] = replace(hypothesis, score=value, attention=seen)
    for n, (sentence, _) in enumerate(flat):
        answers[sentence].append(scored[n])
    return answers


def _forced(
    model: Selectable,
    state: object,
    targets: list[list[int]],
    start_id: int,
    eos_id: int,
    attention: bool,
) -> list[Hypothesis]:
    """Some targets side by side."""
    rows = [torch.tensor([*ids, eos_id]) for ids in targets]
    table = pad_sequence(rows, batch_first=True, padding_value=eos_id).to(device_of(model))

    def given(step: int, here: Tensor, log_p: Tensor) -> Tensor:
        if step == 0 and not 0 <= int(table.min()) <= int(table.max()) < log_p.shape[1]:
            raise ConfigError(
                f"force: expected symbols from 0 to {log_p.shape[1] - 1}, got some from "
                f"{int(table.min())} to {int(table.max())}."
            )
        return table[here, step]

    rolled = roll(
        model,
        state,
        torch.full_like(table[:, 0], start_id),
        given,
        eos_id=eos_id,
        longest=table.shape[1] - 1,
        attention=attention,
    )
    return rolled.hypotheses()


def _check(flat: list[tuple[int, list[int]]], eos_id: int) -> None:
    for sentence, ids in flat:
        if eos_id in ids:
            raise ConfigError(
                f"force: expected targets without the end, which is {eos_id}, got {ids} for "
                f"sentence {sentence}."
            )
