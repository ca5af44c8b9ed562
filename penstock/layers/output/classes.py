"""A softmax over classes of symbols, then one over the symbols of the class."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.engines.product import linear
from penstock.errors import ConfigError
from penstock.layers.output.base import Output, by_frequency, uniform_start
from penstock.layers.output.full import summed_loss

__all__ = ["ClassSoftmax"]


class Classes(NamedTuple):
    """The symbols in order of frequency, cut into classes."""

    places: Tensor
    """(V,), place of each symbol in that order."""
    class_of: Tensor
    """(V,), class of each place."""
    starts: Tensor
    """(C,), first place of each class."""
    sizes: list[int]
    """Symbols of each class."""


class ClassSoftmax(Output):
    """p(w) = p(class of w) p(w | its class): C + V / C products instead of V (Goodman 2001).

    The symbols are put in order of frequency and cut where the sum of the square roots of their
    counts passes 1/C, 2/C, ... (Mikolov et al. 2011, with the roots as in their program), so that
    frequent symbols are in small classes.

    Args:
        hidden_size, vocab_size, projection, counts: see :class:`Output`.
        classes: C, the square root of V when 0.
    """

    counted = True
    takes = frozenset({"classes"})

    def __init__(
        self, hidden_size: int, vocab_size: int, *, classes: int = 0, **options: Any
    ) -> None:
        super().__init__(hidden_size, vocab_size, **options)
        self.classes = classes or max(1, round(math.sqrt(vocab_size)))
        if not 1 <= self.classes <= vocab_size:
            raise ConfigError(
                f"ClassSoftmax: expected classes from 1 to vocab_size={vocab_size}, got "
                f"classes={classes}. 0 takes the square root of the vocabulary."
            )
        self.class_weight = nn.Parameter(torch.empty(self.classes, self.width))
        self.class_bias = nn.Parameter(torch.zeros(self.classes))
        self.weight = nn.Parameter(torch.empty(vocab_size, self.width))  # in order of frequency
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        uniform_start(self.class_weight)
        uniform_start(self.weight)

    def arrange(self) -> Classes:
        """Cut the symbols into classes, none of them empty."""
        order, places = by_frequency(self.counts)
        sums = self.counts[order].double().sqrt().cumsum(0)
        number = torch.arange(self.classes, device=sums.device)
        cuts = torch.searchsorted(sums, number * sums[-1] / self.classes)
        starts = (cuts - number).cummax(0).values + number
        starts = starts.minimum(self.vocab_size - self.classes + number)
        sizes = starts.diff(append=starts.new_tensor([self.vocab_size]))
        return Classes(places, number.repeat_interleave(sizes), starts, sizes.tolist())

    def log_p(self, h: Tensor) -> Tensor:
        """See :meth:`Output.log_p`."""
        found, h = self.arrangement, self.projected(h)
        of_class = torch.log_softmax(linear(h, self.class_weight, self.class_bias), -1)
        logits = linear(h, self.weight, self.bias).split(found.sizes, -1)
        within = torch.cat([part.log_softmax(-1) for part in logits], -1)
        return (of_class[..., found.class_of] + within)[..., found.places]

    def losses(self, h: Tensor, targets: Tensor) -> Tensor:
        """See :meth:`Output.losses`."""
        h = self.projected(h)
        parts, losses = [], h.new_zeros(len(h))
        for rows, own, matrix, bias, symbols in self._parts(h, targets):
            logits = linear(own, matrix, bias)
            parts.append((rows, F.cross_entropy(logits, symbols, reduction="none")))
        for rows, part in parts:
            losses = losses.index_add(0, rows, part)
        return losses

    def loss(self, h: Tensor, targets: Tensor) -> Tensor:
        """The sum of :meth:`losses`, in less memory: for training."""
        parts = self._parts(self.projected(h), targets)
        sums = [summed_loss(own, matrix, bias, symbols) for _, own, matrix, bias, symbols in parts]
        return torch.stack(sums).sum() if sums else h.sum() * 0.0

    def _parts(
        self, h: Tensor, targets: Tensor
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """Rows of h, what they are, and the softmax that is asked of them, for which symbols.

        First all rows with the softmax over classes, then those of each class with its own.
        """
        found, real = self.arrangement, (targets >= 0).nonzero()[:, 0]
        if not len(real):
            return
        places, rows = found.places[targets[real]].sort()
        rows = real[rows]
        own, class_of = h[rows], found.class_of[places]
        yield rows, own, self.class_weight, self.class_bias, class_of
        numbers, times = class_of.unique_consecutive(return_counts=True)
        # split, not slices: the gradient of all parts together is one concatenation.
        matrices, biases = self.weight.split(found.sizes), self.bias.split(found.sizes)
        times = times.tolist()
        groups = zip(
            numbers.tolist(),
            rows.split(times),
            own.split(times),
            (places - found.starts[class_of]).split(times),
            strict=True,
        )
        for number, rows_, own_, symbols in groups:
            yield rows_, own_, matrices[number], biases[number], symbols
