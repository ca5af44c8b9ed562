"""``penstock train ngram TEXT -o FILE``: estimate an n-gram model."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.options import Json, Quiet, print_json, with_settings
from penstock.cli.scorers import words_tokeniser
from penstock.counting.smoothing import SMOOTHINGS, AddDelta, Katz, Smoothing
from penstock.errors import ConfigError, DataError
from penstock.training.settings import option

if TYPE_CHECKING:
    from penstock.counting import NGramModel
    from penstock.text import Progress, Tokeniser

__all__ = ["NGramSettings", "ngram"]

Watch = Callable[[str], AbstractContextManager["Progress"]]


@dataclass(frozen=True, kw_only=True)
class NGramSettings:
    """How an n-gram model is estimated."""

    order: int = option(5, "words of the longest n-grams")
    smoothing: str = option("modified-kneser-ney", "how unseen n-grams get a share")
    style: str = option("", "interpolated or backed-off (the method's own when not given)")
    delta: float = option(1.0, "added to every count (add-delta only)")
    katz_k: int = option(5, "largest count that is discounted (katz only)")
    vocab_size: int = option(0, "most words, <eos> and <unk> counted (0: all)")
    min_count: int = option(1, "occurrences below which a word is unknown")
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

        plan(self.order, self.method(), self.style, self.thresholds())
        if self.memory < 1 or not 0 <= self.entropy < float("inf"):
            raise ConfigError(
                "train ngram: expected memory of 1 MB at least and entropy of 0 or more, got "
                f"memory={self.memory}, entropy={self.entropy}."
            )


@with_settings(NGramSettings)
def ngram(
    text: Annotated[list[Path], typer.Argument(help="text files, plain, .gz or .xz")],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help=".arpa, .arpa.gz or .ngram")
    ],
    vocab: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the words to know, one on each line")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    given: dict[str, Any],
) -> None:
    """Estimate an n-gram model from text, one sentence a line."""
    from penstock.cli.bar import bar
    from penstock.counting.storage import check_name, save

    settings = NGramSettings(**given)
    settings.check()
    check_name(out)
    watch = partial(bar, quiet=quiet)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = _estimated(text, vocab, settings, watch)
    for warning in told if not quiet else ():
        print(f"penstock: {warning.message}", file=sys.stderr)
    with watch("writing") as progress:
        save(model, out, progress=progress)
    if as_json:
        print_json({"file": str(out), "ngrams": model.sizes, "words": len(model.vocabulary)})
        return
    for order, size in enumerate(model.sizes, 1):
        print(f"{order}-grams  {size:,}")
    print(f"model in {out}")


def _estimated(
    text: Sequence[Path], vocab: Path | None, settings: NGramSettings, watch: Watch
) -> NGramModel:
    """The model of the text; the ids go through a file, so that a long one streams."""
    from penstock.counting import Vocabulary, estimate
    from penstock.counting.entropy import entropy_pruned
    from penstock.text import Corpus

    tokeniser = _tokeniser(text, vocab, settings, watch)
    vocabulary = Vocabulary.of_tokens(tokeniser.tokens)
    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as place:
        with watch("tokenising") as progress:
            corpus = Corpus.build(list(text), tokeniser, place, "train", progress=progress)
        corpus.check_known(", ".join(map(str, text)))
        with watch("counting") as progress:
            model = estimate(
                corpus.ids,
                vocabulary,
                order=settings.order,
                smoothing=settings.method(),
                style=settings.style,
                prune=settings.thresholds(),
                memory=settings.memory << 20,
                progress=progress,
            )
    return entropy_pruned(model, settings.entropy) if settings.entropy else model


def _tokeniser(
    text: Sequence[Path], vocab: Path | None, settings: NGramSettings, watch: Watch
) -> Tokeniser:
    """That of the words in a list, or of those in the text."""
    from penstock.counting import Vocabulary
    from penstock.text import EOS, UNK, Tokeniser, read_lines

    if vocab is not None:
        words = [word for line in read_lines(vocab) for word in line.split()]
        marks = (EOS, UNK, "<s>", "</s>")
        listed = dict.fromkeys(word for word in words if word not in marks)
        if not listed:
            raise DataError(f"{vocab}: expected words, one on each line, got none.")
        return words_tokeniser(Vocabulary(listed), vocab)
    with watch("learning the vocabulary") as progress:
        return Tokeniser.train(
            list(text),
            "word",
            vocab_size=settings.vocab_size or None,
            min_count=settings.min_count,
            progress=progress,
        )
