"""Output layers: from hidden vectors to the probability of every symbol."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from penstock.errors import ConfigError
from penstock.layers.output.adaptive import AdaptiveSoftmax
from penstock.layers.output.among import Among
from penstock.layers.output.base import Output, largest
from penstock.layers.output.classes import ClassSoftmax
from penstock.layers.output.full import Softmax
from penstock.layers.output.huffman import HierarchicalSoftmax
from penstock.layers.output.sampled import NoiseContrastive, SampledSoftmax
from penstock.registry import Registry

__all__ = [
    "OUTPUTS",
    "AdaptiveSoftmax",
    "Among",
    "ClassSoftmax",
    "HierarchicalSoftmax",
    "NoiseContrastive",
    "Output",
    "SampledSoftmax",
    "Softmax",
    "largest",
    "output_layer",
]

OUTPUTS: Registry[type[Output]] = Registry(
    "output_layer",
    "output",
    {
        "full": Softmax,
        "class": ClassSoftmax,
        "hierarchical": HierarchicalSoftmax,
        "adaptive": AdaptiveSoftmax,
        "sampled": SampledSoftmax,
        "nce": NoiseContrastive,
    },
)
"""Every output layer by name."""


def output_layer(
    name: str,
    hidden_size: int,
    vocab_size: int,
    *,
    projection: int = 0,
    counts: Tensor | None = None,
    tied: nn.Embedding | None = None,
    classes: int = 0,
    samples: int = 1024,
    sparse: bool = False,
) -> Output:
    """The output layer of a name.

    Args:
        projection, counts: see :class:`Output`.
        tied, classes, samples, sparse: each layer takes its own.

    Raises:
        ConfigError: there is no such layer, or it cannot share the embedding's matrix.
    """
    kind = OUTPUTS[name]
    if tied is not None and "tied" not in kind.takes:
        raise ConfigError(
            "output_layer: expected an output with one vector for each symbol to tie to the "
            f"embedding (full, sampled, nce), got output={name!r}. Leave out tied."
        )
    options = {"tied": tied, "classes": classes, "samples": samples, "sparse": sparse}
    own: dict[str, Any] = {name: options[name] for name in kind.takes}
    return kind(hidden_size, vocab_size, projection=projection, counts=counts, **own)
