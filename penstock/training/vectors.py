"""Word vectors made elsewhere, to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from penstock.errors import DataError
from penstock.models.translator import Translator
from penstock.text import SentenceTokeniser, read_lines
from penstock.training.translation_settings import TranslationSettings

__all__ = ["begin_with_vectors", "read_vectors"]


def begin_with_vectors(
    model: Translator,
    tokenisers: tuple[SentenceTokeniser, SentenceTokeniser],
    settings: TranslationSettings,
) -> None:
    """Give the tokens that a file of vectors knows those vectors; the others keep theirs.

    Raises:
        DataError: the file cannot be read, or its vectors have another width.
    """
    words = (model.encoder.words, model.decoder.words)
    files = (settings.source_vectors, settings.target_vectors)
    for file, side, tokeniser in zip(files, words, tokenisers, strict=True):
        if file and side is not None:
            _begin(side.embedding, tokeniser, Path(file))


@torch.no_grad()
def _begin(embedding: nn.Embedding, tokeniser: SentenceTokeniser, file: Path) -> None:
    found = read_vectors(file, tokeniser.whole_words, embedding.embedding_dim)
    if not found:
        raise DataError(f"{file}: expected vectors of the words that are tokens, got none of them.")
    for number, vector in found.items():
        embedding.weight[number] = vector


def read_vectors(file: Path, ids: Mapping[str, int], width: int) -> dict[int, Tensor]:
    """Vectors of some words from a text file: a word and its numbers a line (word2vec, GloVe).

    A first line of two numbers, how many words and how wide, is passed over.

    Args:
        ids: word to its number; other words are passed over.
        width: how wide the vectors must be.

    Raises:
        DataError: ``path:line`` of a line that is no vector, or of another width.
    """
    found: dict[int, Tensor] = {}
    for number, line in enumerate(read_lines(file), 1):
        word, *values = line.rstrip().split(" ")
        if number == 1 and len(values) == 1:
            continue
        if word not in ids or ids[word] in found:
            continue
        try:
            vector = torch.tensor([float(value) for value in values])
        except ValueError as error:
            raise DataError(f"{file}:{number}: expected a word and numbers, {error}.") from error
        if len(vector) != width:
            raise DataError(
                f"{file}:{number}: expected {width} numbers as in the embedding, got "
                f"{len(vector)}. Set embedding={len(vector)}."
            )
        found[ids[word]] = vector
    return found
