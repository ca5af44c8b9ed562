"""Which continuations of a beam are looked at."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from penstock.search.banks import Banks
from penstock.search.constraints import Constraints
from penstock.search.continuations import Continuations, best
from penstock.search.options import Beam
from penstock.search.rules import Past

__all__ = ["Choose", "chooser", "going"]

Choose = Callable[[Tensor, Tensor, Past], Continuations]
"""total (R, K), log_p (R, K, V) and the past -> continuations (R, k), best first; -inf is none."""


def chooser(options: Beam, constraints: Constraints, most: Tensor, eos_id: int) -> Choose:
    """How a search chooses."""
    number = options.compared
    choose: Choose
    if any(map(len, constraints.must)):
        choose = Banks(constraints.must, most, number, eos_id)
    else:
        choose = Best(number)
    return Diverse(choose, options, eos_id) if options.groups > 1 else choose


def going(symbol: Tensor, size: int, eos_id: int) -> Tensor:
    """Places of the first that do not end, and of some that do where these are few: (R, K)."""
    number = symbol.shape[1]
    order = torch.arange(number, device=symbol.device) + number * (symbol == eos_id)
    return order.topk(min(size, number), 1, largest=False).indices


class Best:
    """The most probable."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, total: Tensor, log_p: Tensor, past: Past) -> Continuations:
        return best(total, log_p, self.number)


class Diverse:
    """Groups choose one after another, and shun what those before them took.

        log p(v) - diversity * (times that earlier groups went on by v in this step)

    Vijayakumar et al. 2018 (diverse beam search), with the Hamming dissimilarity.
    """

    def __init__(self, choose: Choose, options: Beam, eos_id: int) -> None:
        self.choose, self.options, self.eos_id = choose, options, eos_id

    def __call__(self, total: Tensor, log_p: Tensor, past: Past) -> Continuations:
        _, sentence = past.sentence.unique(return_inverse=True)
        taken = log_p.new_zeros(int(sentence.max()) + 1, log_p.shape[2])
        tables: list[Continuations] = []
        rows = [(past.group == group).nonzero()[:, 0] for group in range(self.options.groups)]
        for row in filter(len, rows):
            own = past._replace(sentence=past.sentence[row], history=past.history[row])
            shunned = log_p[row] - self.options.diversity * taken[sentence[row]][:, None]
            found = self.choose(total[row], shunned, own)
            chosen = found.symbol.gather(1, going(found.symbol, self.options.width, self.eos_id))
            once = torch.ones_like(chosen, dtype=taken.dtype)
            taken.index_put_((sentence[row][:, None].expand_as(chosen), chosen), once, True)
            tables.append(found)
        order = torch.cat(rows).argsort()
        return Continuations(*(torch.cat(parts)[order] for parts in zip(*tables, strict=True)))
