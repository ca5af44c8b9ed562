"""Reading, tokenising, numbering and batching text."""

from penstock.text.batch import PAD, columns, sentences, window
from penstock.text.corpus import Corpus, Statistics
from penstock.text.pieces import BPE, Bytes, Unigram
from penstock.text.prose import python_prose, write_prose
from penstock.text.read import read_blocks, read_lines, resolve
from penstock.text.tokenise import EOS, UNK, Tokeniser
from penstock.text.words import Characters, Words

__all__ = [
    "BPE",
    "EOS",
    "PAD",
    "UNK",
    "Bytes",
    "Characters",
    "Corpus",
    "Statistics",
    "Tokeniser",
    "Unigram",
    "Words",
    "columns",
    "python_prose",
    "read_blocks",
    "read_lines",
    "resolve",
    "sentences",
    "window",
    "write_prose",
]
