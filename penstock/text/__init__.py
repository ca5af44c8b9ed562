"""Reading, tokenising, numbering and batching text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.text.corpus import Corpus
from penstock.text.pieces import BPE, Bytes, Unigram
from penstock.text.prose import python_prose, write_prose
from penstock.text.read import Progress, read_blocks, read_lines, resolve
from penstock.text.statistics import Statistics
from penstock.text.tokenise import EOS, UNK, Tokeniser
from penstock.text.words import Characters, Words

if TYPE_CHECKING:
    from penstock.text.batch import PAD, columns, count_sentences, sentences, window

__all__ = [
    "BPE",
    "EOS",
    "PAD",
    "UNK",
    "Bytes",
    "Characters",
    "Corpus",
    "Progress",
    "Statistics",
    "Tokeniser",
    "Unigram",
    "Words",
    "columns",
    "count_sentences",
    "python_prose",
    "read_blocks",
    "read_lines",
    "resolve",
    "sentences",
    "window",
    "write_prose",
]


def __getattr__(name: str) -> Any:
    """Import what makes tensors when it is first used: tokenising needs no PyTorch."""
    if name in ("PAD", "columns", "count_sentences", "sentences", "window"):
        return getattr(import_module("penstock.text.batch"), name)
    raise AttributeError(f"module 'penstock.text' has no attribute {name!r}")
