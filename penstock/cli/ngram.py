"""``penstock train ngram TEXT -o FILE``: estimate an n-gram model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.options import Json, Quiet, print_json, refuse, with_settings
from penstock.cli.tokens import TokensOf, taken_over
from penstock.counting.smoothing import SMOOTHINGS, AddDelta, Katz, Smoothing
from penstock.errors import ConfigError, DataError, unknown
from penstock.progress import Watch
from penstock.scoring.counted import Array, spelt, tokeniser_file, words_tokeniser
from penstock.scoring.measure import check_unmarked, tokenised
from penstock.training.cell_settings import TOKENS
from penstock.training.settings import option

if TYPE_CHECKING:
    from penstock.counting import NGramModel
    from penstock.text import Tokeniser

__all__ = ["NGramSettings", "ngram"]

BLOCK = 1 << 20
"""Tokens renumbered at a time."""


@dataclass(frozen=True, kw_only=True)
class NGramSettings:
    """How an n-gram model is estimated."""

    order: int = option(5, "words of the longest n-grams")
    smoothing: str = option(
        "modified-kneser-ney", "how unseen n-grams get a share", choices=SMOOTHINGS
    )
    style: str = option("", "interpolated or backed-off (when not given, the method's own)")
    delta: float = option(1.0, "added to every count (add-delta only)")
    katz_k: int = option(5, "largest count that is discounted (katz only)")
    tokens: str = option("word", "what a token is", choices=TOKENS)
    vocab_size: int = option(0, "most tokens, <eos> and <unk> counted (0: all)")
    min_count: int = option(1, "occurrences below which a token is unknown")
    prune: str = option("0", "leave out n-grams that occur so often or less, by order as 0,0,1")
    entropy: float = option(0.0, "leave out n-grams that change perplexity by a smaller share")
    memory: int = option(1024, "MB for sorting; above it counts go to the disk")

    def method(self) -> Smoothing:
        """The smoothing method."""
        if self.smoothing == AddDelta.name:
            return AddDelta(self.delta)
        if self.smoothing == Katz.name:
            return Katz(self.katz_k)
        return SMOOTHINGS[self.smoothing]()

    def thresholds(self) -> list[int]:
        """``prune`` as numbers."""
        try:
            return [int(part) for part in self.prune.replace(" ", ",").split(",") if part]
        except ValueError:
            raise ConfigError(
                f"train ngram: expected prune as numbers such as 0,0,1, got prune={self.prune!r}."
            ) from None

    def check(self) -> None:
        """Refuse what cannot be before any text is read."""
        from penstock.counting.estimate import plan

        if self.tokens not in TOKENS:
            raise unknown("train ngram", "tokens", self.tokens, TOKENS)
        plan(self.order, self.method(), self.style, self.thresholds())
        if self.memory < 1 or not 0 <= self.entropy < float("inf"):
            raise ConfigError(
                "train ngram: expected memory of 1 MB at least and entropy of 0 or more, got "
                f"memory={self.memory}, entropy={self.entropy}."
            )
        if self.entropy and self.method().backoff is not None:
            raise ConfigError(
                "train ngram: expected a model of probabilities with entropy, got "
                f"smoothing={self.smoothing}. Leave out entropy."
            )


@with_settings(NGramSettings)
def ngram(
    context: typer.Context,
    text: Annotated[list[Path], typer.Argument(help="text files, plain, .gz or .xz")],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help=".arpa, .arpa.gz or .ngram")
    ],
    vocab: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the words to know, one on each line")
    ] = None,
    tokeniser: TokensOf = None,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Estimate an n-gram model from text, one sentence a line."""
    from penstock.cli.bar import bar
    from penstock.counting.storage import check_name, save

    if tokeniser and vocab:
        raise ConfigError("train ngram: expected --vocab or --tokeniser, got both.")
    taken = taken_over(tokeniser, given) if tokeniser else None
    settings = NGramSettings(**given)
    settings.check()
    for name, method in (("delta", AddDelta.name), ("katz_k", Katz.name)):
        if settings.smoothing != method:
            refuse(context, (name,), f"only --smoothing {method} has it")
    check_name(out)
    watch = partial(bar, quiet=quiet)
    tokens = taken or _tokeniser(text, vocab, settings, watch)
    model = _estimated(text, tokens, settings, watch)
    with watch("writing") as progress:
        save(model, out, progress=progress)
    tokeniser_file(out).unlink(missing_ok=True)
    if taken or settings.tokens != "word":
        tokens.save(tokeniser_file(out))
    if as_json:
        print_json({"file": str(out), "ngrams": model.sizes, "words": len(model.vocabulary)})
        return
    for order, size in enumerate(model.sizes, 1):
        print(f"{order}-grams  {size:,}")
    print(f"model in {out}")


def _estimated(
    text: Sequence[Path], tokeniser: Tokeniser, settings: NGramSettings, watch: Watch
) -> NGramModel:
    """The model of the text."""
    from penstock.counting import Vocabulary, estimate
    from penstock.counting.entropy import entropy_pruned
    from penstock.counting.vocabulary import BOS, EOS

    words = spelt(tokeniser)
    special = (tokeniser.eos_id, tokeniser.unk_id)
    own = [word for id, word in enumerate(words) if id not in special]
    if tokeniser.kind == "word" or {BOS, EOS} & set(own):
        check_unmarked(text)
    vocabulary = Vocabulary(own)
    places = np.array([vocabulary.ids[word] for word in words])
    with (
        tokenised(text, tokeniser, watch) as corpus,
        _renumbered(corpus.ids, places) as ids,
        watch("counting") as progress,
    ):
        model = estimate(
            ids,
            vocabulary,
            order=settings.order,
            smoothing=settings.method(),
            style=settings.style,
            prune=settings.thresholds(),
            memory=settings.memory << 20,
            progress=progress,
        )
    return entropy_pruned(model, settings.entropy) if settings.entropy else model


@contextmanager
def _renumbered(ids: Array, places: Array) -> Iterator[Array]:
    """A text's ids as an n-gram model numbers them, in a file, so that a long text streams."""
    if np.array_equal(places, np.arange(len(places))):
        yield ids
        return
    with TemporaryFile(prefix="penstock-") as file:
        for start in range(0, len(ids), BLOCK):
            file.write(places[ids[start : start + BLOCK]].astype(np.int32).tobytes())
        file.flush()
        yield np.memmap(file, np.int32, "r")


def _tokeniser(
    text: Sequence[Path], vocab: Path | None, settings: NGramSettings, watch: Watch
) -> Tokeniser:
    """That of the words in a list, or of the tokens in the text."""
    from penstock.counting import Vocabulary
    from penstock.text import EOS, UNK, Tokeniser, read_lines

    if vocab is not None:
        if settings.tokens != "word" or settings.vocab_size or settings.min_count != 1:
            raise ConfigError(
                "train ngram: expected --vocab without vocab_size and min_count and with "
                f"tokens=word, got tokens={settings.tokens!r}, vocab_size={settings.vocab_size}, "
                f"min_count={settings.min_count}."
            )
        words = [word for line in read_lines(vocab) for word in line.split()]
        marks = (EOS, UNK, "<s>", "</s>")
        listed = dict.fromkeys(word for word in words if word not in marks)
        if not listed:
            raise DataError(f"{vocab}: expected words, one on each line, got none.")
        return words_tokeniser(Vocabulary(listed), vocab)
    with watch("learning the vocabulary") as progress:
        return Tokeniser.train(
            list(text),
            settings.tokens,
            vocab_size=settings.vocab_size or None,
            min_count=settings.min_count,
            progress=progress,
        )
