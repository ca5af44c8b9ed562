"""Beam search over sentences x hypotheses at once.

In every step the continuations of a beam's K hypotheses are compared, K V of them.  Those among the
best K that end are finished; the best K that do not end go on.  A sentence that is done leaves the
batch.  Hypotheses are rows of a table of back-pointers, read out at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.search.choice import Best, chooser, going
from penstock.search.constraints import Constraints
from penstock.search.continuations import Continuations, best_listed
from penstock.search.coverage import Coverage
from penstock.search.finished import STOPS, Finished
from penstock.search.hypothesis import Hypothesis
from penstock.search.model import Selectable, attention_of, best_of, device_of
from penstock.search.options import Beam
from penstock.search.readout import answers
from penstock.search.rules import Past, concerned, ruled
from penstock.search.tree import Recorder
from penstock.search.trellis import Trellis

__all__ = ["beam_search"]


@torch.no_grad()
def beam_search(
    model: Selectable,
    batch: int,
    options: Beam | None = None,
    *,
    start_id: int,
    eos_id: int,
    constraints: Constraints | None = None,
    source_lengths: Tensor | None = None,
    attention: bool = False,
    recorder: Recorder | None = None,
) -> list[list[Hypothesis]]:
    """The most probable sequences of symbols for each sentence, best first.

    A sentence has fewer than ``nbest``, perhaps none, where the model gives the others no
    probability or the constraints cannot be met.  NaN is no probability.

    Args:
        model: whose ``start`` knows the sentences.
        batch: B, how many there are.
        options: by default those of :class:`Beam`.
        start_id: the symbol before the first.
        eos_id: the symbol that ends a sequence.
        constraints: what must and what must not come.
        source_lengths: (B,), words of each source, for the coverage penalty; all S when None.
        attention: whether the answers hold the attention of the very beam that won.
        recorder: is told of every continuation that was compared.

    Raises:
        ConfigError: options and constraints contradict each other or do not fit the model.
    """
    options, constraints = options or Beam(), constraints or Constraints()
    constraints.check(batch, options, eos_id)
    if batch == 0:
        return []
    search = _Search(model, batch, options, eos_id, constraints)
    search.recorder, search.keep_attention = recorder, attention
    if options.coverage:
        search.coverage = Coverage(options.score(), source_lengths, options.groups)
    search.run(start_id)
    return answers(search.finished, search.trellis, options)


@dataclass
class _Open:
    """The open hypotheses: R beams of K slots each; an empty one has the total -inf."""

    beams: Tensor  # (R,), ascending
    total: Tensor  # (R, K) float64: a sum of many
    history: Tensor  # (R, K, t); t is 0 unless a rule reads it
    places: Tensor  # (N,), which of the R K slots are open: the rows of the model's state

    def table(self, values: Tensor, empty: float) -> Tensor:
        """What the model gave for the open ones, (N, n), with a row for every slot: (R, K, n)."""
        if len(self.places) < self.total.numel():
            rows = values.new_full((self.total.numel(), values.shape[1]), empty)
            values = rows.index_copy_(0, self.places, values)
        return values.view(*self.total.shape, -1)


class _Search:
    """One search; a beam is one group of one sentence, numbered sentence by sentence."""

    coverage: Coverage | None = None
    recorder: Recorder | None = None
    keep_attention = False

    def __init__(
        self, model: Selectable, batch: int, options: Beam, eos_id: int, constraints: Constraints
    ) -> None:
        self.model, self.batch, self.options, self.eos_id = model, batch, options, eos_id
        self.device = device_of(model)
        self.constraints = constraints
        least, most = constraints.lengths(batch, options, self.device)
        self.longest = constraints.longest(options)
        self.rules = constraints.rules(options, least, most, eos_id)
        self.choose = chooser(options, constraints, most, eos_id)
        self.best = best_of(model) if isinstance(self.choose, Best) else None
        self.may_prune = constraints.without_must(batch, self.device)
        self.keep_history = bool(options.no_repeat or constraints.phrases)
        self.score = options.score()
        ceiling = [self.score.divisor(length + 1) for length in most.tolist()]
        self.ceiling = torch.tensor(ceiling, dtype=torch.double, device=self.device)
        self.trellis = Trellis()
        beams = batch * options.groups
        self.finished = Finished(beams, options.width, self.ceiling)

    def run(self, start_id: int) -> None:
        groups = self.options.groups
        beams = torch.arange(self.batch * groups, device=self.device)
        total, history = self.ceiling.new_zeros(len(beams), 1), beams.new_zeros(len(beams), 1, 0)
        here = _Open(beams, total, history, torch.arange(len(beams), device=self.device))
        state, symbols = self.model.start(self.batch), torch.full_like(beams, start_id)
        if groups > 1:
            state = self.model.select(state, beams // groups)
        for step in range(self.longest + 1):
            before = here.places
            found, log_p, state = self._compare(step, here, symbols, state)
            parents, kept = self._step(step, here, found, log_p, state)
            if len(parents) == 0:
                break
            here.places = here.total.flatten().isfinite().nonzero()[:, 0]
            symbols = kept.symbol.flatten()[here.places]
            rows = torch.searchsorted(before, parents[here.places])
            if not _is_identity(rows, len(before)):
                state = self.model.select(state, rows)

    def _compare(
        self, step: int, here: _Open, symbols: Tensor, state: object
    ) -> tuple[Continuations, Tensor, object]:
        """The continuations that are looked at, log-probabilities of their symbols, the state."""
        groups = self.options.groups
        past = Past(here.beams // groups, here.beams % groups, here.history, step)
        if self.best and step and not concerned(self.rules, past):
            number = self.options.compared
            log_p, symbol, state = self.best(symbols, state, number)
            total = _rounded(here.total, log_p)
            lists = here.table(log_p, -torch.inf), here.table(symbol, 0)
            return *best_listed(total, *lists, number), state
        log_p, state = self.model.step(symbols, state)
        if step == 0:
            self.constraints.check_symbols(log_p.shape[1], self.eos_id)
        log_p = here.table(log_p, -torch.inf)
        found = self.choose(_rounded(here.total, log_p), ruled(self.rules, log_p, past), past)
        row = torch.arange(len(found.slot), device=self.device)[:, None]
        return found, log_p[row, found.slot, found.symbol], state

    def _step(
        self, step: int, here: _Open, found: Continuations, log_p: Tensor, state: object
    ) -> tuple[Tensor, Continuations]:
        """One step on in place; the slot before of each slot, and what goes on in it."""
        looked, symbol_log_p = self._looked(state, here), log_p.double()
        total = here.total.gather(1, found.slot) + symbol_log_p
        found = found._replace(total=total.masked_fill(found.total == -torch.inf, -torch.inf))
        ended = self._finish(step, here, found, symbol_log_p)
        keep = going(found.symbol, self.options.width, self.eos_id)
        if self.recorder is not None:
            self.recorder.add(step, here.beams, found, symbol_log_p, ended, keep)
        kept = Continuations(*(table.gather(1, keep) for table in found))
        looked = looked if self.keep_attention else None
        self.trellis.add(here.beams, kept.slot, kept.symbol, symbol_log_p.gather(1, keep), looked)
        total = kept.total.masked_fill(kept.symbol == self.eos_id, -torch.inf)
        if self.options.prune:
            behind = total < total.amax(1, keepdim=True) - self.options.prune
            behind &= self.may_prune[here.beams // self.options.groups][:, None]
            total = total.masked_fill(behind, -torch.inf)
        return self._go_on(step, here, kept._replace(total=total))

    def _looked(self, state: object, here: _Open) -> Tensor | None:
        """The attention of this step, (R, K, S), where somebody asks for it."""
        if not (self.keep_attention or self.coverage):
            return None
        looked = attention_of(self.model, state)
        looked = None if looked is None else here.table(looked, 0)
        if self.coverage:
            if looked is None:
                raise self.score.without_attention()
            self.coverage.add(looked)
        return looked

    def _finish(self, step: int, here: _Open, found: Continuations, log_p: Tensor) -> Tensor:
        """Put aside those among the best K that end; which they are, (R, k)."""
        first = torch.arange(found.total.shape[1], device=self.device) < self.options.width
        ended = (found.symbol == self.eos_id) & first & found.total.isfinite()
        if ended.any():
            score = found.total / self.score.divisor(step + 1)
            if self.coverage:
                score = score + self.coverage.penalty(here.beams, found.slot)
            score = score.masked_fill(~ended, -torch.inf)
            self.finished.add(here.beams, score, step, found.slot, log_p)
        return ended

    def _go_on(self, step: int, here: _Open, kept: Continuations) -> tuple[Tensor, Continuations]:
        """Leave out beams that are done."""
        row = torch.arange(len(kept.slot), device=self.device)[:, None]
        best, ceiling = kept.total.amax(1), self.ceiling[here.beams // self.options.groups]
        stop, wanted = STOPS[self.options.stop], self.options.wanted
        ahead = best / self.score.divisor(step + 1)
        done = stop(self.finished.score[here.beams], wanted, ahead, best / ceiling)
        on = (kept.total.isfinite().any(1) & ~done).nonzero()[:, 0]
        before = row * here.total.shape[1] + kept.slot
        if len(on) < len(row):
            kept = Continuations(*(table[on] for table in kept))
            before, row, here.beams = before[on], row[on], here.beams[on]
        if self.coverage:
            self.coverage.select(row, kept.slot)
        here.history = here.history[row, kept.slot]
        if self.keep_history:
            here.history = torch.cat([here.history, kept.symbol[:, :, None]], 2)
        here.total = kept.total
        return before.flatten(), kept


def _rounded(total: Tensor, log_p: Tensor) -> Tensor:
    """Sums of log-probabilities as they are compared."""
    return total.to(torch.promote_types(log_p.dtype, torch.float))


def _is_identity(rows: Tensor, number: int) -> bool:
    return len(rows) == number and torch.equal(rows, torch.arange(number, device=rows.device))
