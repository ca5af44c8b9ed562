"""Finished hypotheses from the table of back-pointers, sentence by sentence."""

from __future__ import annotations

from torch import Tensor

from penstock.search.finished import Finished
from penstock.search.hypothesis import Hypothesis
from penstock.search.options import Beam
from penstock.search.trellis import Trellis

__all__ = ["answers"]


def answers(finished: Finished, trellis: Trellis, options: Beam) -> list[list[Hypothesis]]:
    """The n best of each sentence, best first; what several groups found counts once."""
    number = options.width if options.groups > 1 else options.wanted
    score = finished.score[:, :number]
    beam, place = score.isfinite().nonzero(as_tuple=True)
    found: list[list[Hypothesis]] = [[] for _ in range(len(score) // options.groups)]
    if len(beam):
        made = _hypotheses(finished, trellis, beam, place)
        for sentence, hypothesis in zip((beam // options.groups).tolist(), made, strict=True):
            found[sentence].append(hypothesis)
    if options.groups > 1:
        found = [_distinct(several) for several in found]
    return [several[: options.nbest] for several in found]


def _hypotheses(
    finished: Finished, trellis: Trellis, beam: Tensor, place: Tensor
) -> list[Hypothesis]:
    step = finished.step[beam, place]
    end = finished.log_p[beam, place]
    paths = trellis.read(beam, step, finished.slot[beam, place], end)
    log_ps, looked = paths.log_ps.tolist(), paths.attention
    ids, scores = paths.ids.tolist(), finished.score[beam, place].tolist()
    return [
        Hypothesis(
            ids[n][:length],
            sum(log_ps[n][: length + 1]),
            scores[n],
            log_ps[n][: length + 1],
            None if looked is None else looked[n, : length + 1],
        )
        for n, length in enumerate(step.tolist())
    ]


def _distinct(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """Best first, of equal ones one."""
    best = sorted(hypotheses, key=lambda hypothesis: -hypothesis.score)
    first: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in best:
        first.setdefault(tuple(hypothesis.ids), hypothesis)
    return list(first.values())
