"""Minimum-risk training: the expected error of sampled translations."""

from __future__ import annotations

import torch
from torch import Tensor

from penstock.metrics.translation import Metric
from penstock.models.mode import evaluating
from penstock.models.translator import Translator
from penstock.search import Constraints, sample
from penstock.text import PAD, PairBatch, pad

__all__ = ["expected_risk"]

SHARPNESS = 0.005
"""alpha of Shen et al. 2016, section 4.2."""


def expected_risk(
    model: Translator,
    batch: PairBatch,
    samples: int,
    eos_id: int,
    seed: int,
    *,
    sharpness: float = SHARPNESS,
) -> Tensor:
    """The sum over sentences of the expected error of a translation.

        sum over y of Q(y) (1 - BLEU(y)),     Q(y) proportional to p(y | source) ** sharpness

    over distinct samples and the reference; BLEU is of the sentence alone, smoothed, over tokens
    (Shen et al. 2016, equations 9 to 11).

    Args:
        samples: translations drawn for each source.
        eos_id: the target's.
        seed: of the samples; they are of a sentence alone, whatever its batch.

    Shapes:
        a scalar with a gradient.
    """
    references = _references(batch)
    candidates = [
        list(dict.fromkeys([reference, *drawn]))
        for reference, drawn in zip(
            references, _drawn(model, batch, samples, eos_id, seed), strict=True
        )
    ]
    rows = torch.tensor([row for row, found in enumerate(candidates) for _ in found])
    flat = [ids for found in candidates for ids in found]
    log_p = _log_p(model, batch, rows, flat, eos_id)
    errors = _errors(flat, [references[row] for row in rows.tolist()]).to(log_p)
    sizes = [len(found) for found in candidates]
    risks = [
        torch.softmax(sharpness * own, 0) @ error
        for own, error in zip(log_p.split(sizes), errors.split(sizes), strict=True)
    ]
    return torch.stack(risks).sum()


Ids = tuple[int, ...]


def _references(batch: PairBatch) -> list[Ids]:
    """The ids of the true translations, without ``<eos>``."""
    rows = zip(batch.tgt_out.T.tolist(), batch.tgt_lengths.tolist(), strict=True)
    return [tuple(row[: length - 1]) for row, length in rows]


def _drawn(
    model: Translator, batch: PairBatch, number: int, eos_id: int, seed: int
) -> list[list[Ids]]:
    """Translations drawn from the model as it is in evaluation."""
    with evaluating(model), torch.no_grad():
        given = model.given(batch.src, batch.src_lengths)
        found = sample(
            given,
            len(batch.src_lengths),
            start_id=eos_id,
            eos_id=eos_id,
            number=number,
            constraints=Constraints(max_lengths=(2 * batch.tgt_lengths + 5).tolist()),
            seed=seed,
            numbers=batch.rows.tolist(),
        )
    return [[tuple(one.ids) for one in several] for several in found]


def _log_p(
    model: Translator, batch: PairBatch, rows: Tensor, targets: list[Ids], eos_id: int
) -> Tensor:
    """log p of each target given the source of its row, with a gradient."""
    told, lengths = pad([(eos_id, *ids) for ids in targets], eos_id)
    wanted, _ = pad([(*ids, eos_id) for ids in targets], PAD)
    features = model(batch.src[:, rows], batch.src_lengths[rows], told, lengths)
    return -model.losses(features, wanted).sum(0)


def _errors(rows: list[Ids], references: list[Ids]) -> Tensor:
    """1 - BLEU of each sentence, from 0 to 1."""
    spelt, true = ([" ".join(map(str, row)) for row in side] for side in (rows, references))
    return 1 - torch.tensor(Metric("bleu", true, tokenize="none").sentences(spelt)) / 100
