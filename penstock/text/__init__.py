"""Reading, tokenising, numbering and batching text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.text.cleaning import Cleaner, Cleaning, Counts, clean
from penstock.text.corpus import Corpus
from penstock.text.locale import locale_pairs, write_locale
from penstock.text.pair_corpus import PairCorpus
from penstock.text.pairs import Pair, PairFiles, read_pairs
from penstock.text.pieces import BPE, Bytes, Unigram
from penstock.text.preparation import Preparation
from penstock.text.prepared import Prepared
from penstock.text.prose import python_prose, write_prose
from penstock.text.read import read_blocks, read_lines, resolve
from penstock.text.sentence import SentenceTokeniser
from penstock.text.statistics import Statistics
from penstock.text.tokenise import EOS, UNK, Tokeniser
from penstock.text.words import Characters, Words

if TYPE_CHECKING:
    from penstock.text.batch import PAD, columns, count_sentences, sentences, window
    from penstock.text.pair_batches import PairBatch, pad, pair_batch, token_batches

__all__ = [
    "BPE",
    "EOS",
    "PAD",
    "UNK",
    "Bytes",
    "Characters",
    "Cleaner",
    "Cleaning",
    "Corpus",
    "Counts",
    "Pair",
    "PairBatch",
    "PairCorpus",
    "PairFiles",
    "Preparation",
    "Prepared",
    "SentenceTokeniser",
    "Statistics",
    "Tokeniser",
    "Unigram",
    "Words",
    "clean",
    "columns",
    "count_sentences",
    "locale_pairs",
    "pad",
    "pair_batch",
    "python_prose",
    "read_blocks",
    "read_lines",
    "read_pairs",
    "resolve",
    "sentences",
    "token_batches",
    "window",
    "write_locale",
    "write_prose",
]


_TENSORS = {
    "penstock.text.batch": ("PAD", "columns", "count_sentences", "sentences", "window"),
    "penstock.text.pair_batches": ("PairBatch", "pad", "pair_batch", "token_batches"),
}


def __getattr__(name: str) -> Any:
    """Import what makes tensors when it is first used: tokenising needs no PyTorch."""
    for module, names in _TENSORS.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'penstock.text' has no attribute {name!r}")
