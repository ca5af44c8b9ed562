"""What the softmax reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from penstock.layers.dropout import dropout
from penstock.models.translator.architecture import Architecture
from penstock.models.translator.decoder import Decoded, Decoder

__all__ = ["Readout"]


class Readout(nn.Module):
    """A layer over all that is known at a step, or the decoder's output itself.

        tanh(W_h h + W_c c + W_y y + b)

    with the context c and the word before y, as wide as a word's vector (Bahdanau et al. 2014,
    appendix A.2.2, with tanh in place of maxout as in Sennrich et al. 2017).

    Args:
        decoder: what comes before.
        source_size: width of an annotation.
        architecture: says whether there is a layer, and its dropout.
    """

    def __init__(self, decoder: Decoder, source_size: int, architecture: Architecture) -> None:
        super().__init__()
        hidden, width = decoder.recurrent.output_size, architecture.embedding_size
        self.dropout = architecture.output_dropout
        self.of_hidden = self.of_context = self.of_word = None
        self.size = width if architecture.readout else hidden
        if not architecture.readout:
            return
        self.of_hidden = nn.Linear(hidden, width)
        if decoder.attends or decoder.reads_summary:
            self.of_context = nn.Linear(source_size, width, bias=False)
        if decoder.words:
            self.of_word = nn.Linear(width, width, bias=False)

    def forward(self, decoded: Decoded) -> Tensor:
        """(T, B, size)."""
        hidden = decoded.hidden
        if self.of_hidden is not None:
            hidden = self.of_hidden(hidden)
            if self.of_context is not None:
                hidden = hidden + self.of_context(decoded.context)
            if self.of_word is not None:
                hidden = hidden + self.of_word(decoded.words)
            hidden = torch.tanh(hidden)
        return dropout(hidden, self.dropout, self.training)
