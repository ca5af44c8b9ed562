"""Any language model as a scorer of text: a folder with a network, or a file with n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from penstock.cli.counted import Counted, open_counted
from penstock.errors import ConfigError, DataError

if TYPE_CHECKING:
    from penstock.models.language import LanguageModel
    from penstock.search import Selectable
    from penstock.text import Tokeniser
    from penstock.training.evaluate import Cache, Dynamic

__all__ = ["Adaption", "Counted", "Model", "Network", "check_same_tokens", "is_ngram", "open_model"]

SUFFIXES = (".arpa", ".arpa.gz", ".lm", ".lm.gz", ".ngram")
Model = Annotated[Path, typer.Argument(help="folder of a model or file of n-grams")]
Array = np.ndarray[Any, np.dtype[Any]]
Advance = Callable[[int, int], object]


@dataclass(frozen=True)
class Adaption:
    """What a model may do with the text just read.

    Attributes:
        cache: for a network the continuous cache; for n-grams a cache of words of its size and
            weight.
        dynamic: a network goes on training.
        alone: a network reads every line from the first state, as n-grams do.
    """

    cache: Cache | None = None
    dynamic: Dynamic | None = None
    alone: bool = False

    def check(self) -> Adaption:
        """This, if it can be."""
        if self.alone and (self.cache or self.dynamic):
            raise ConfigError("evaluate: cache and dynamic evaluation need running text.")
        return self


@dataclass(frozen=True)
class Network:
    """A model in a folder."""

    path: Path
    model: LanguageModel
    tokeniser: Tokeniser

    def symbols(self) -> Selectable:
        """It, for search."""
        return self.model

    def log_probs(self, ids: Array, adaption: Adaption, progress: Advance) -> Array:
        """log p of every token of a text: (T,) -> (T,)."""
        from penstock.training.evaluate import token_losses

        done = 0

        def advance(tokens: int) -> None:
            nonlocal done
            done += tokens
            progress(done, len(ids))

        return -token_losses(
            self.model,
            ids,
            self.tokeniser.eos_id,
            cache=adaption.cache,
            dynamic=adaption.dynamic,
            alone=adaption.alone,
            advance=advance,
        )

    def distributions(self, ids: Array, steps: int, *, alone: bool) -> Iterator[Array]:
        """log p of every token of the vocabulary at every place of a text, in pieces (N, V)."""
        from penstock.training.evaluate import token_distributions

        eos_id = self.tokeniser.eos_id
        return token_distributions(self.model, ids, eos_id, alone=alone, steps=steps)

    def context(self, adaption: Adaption) -> str:
        """What it knows when it predicts."""
        ways = [str(way) for way in (adaption.cache, adaption.dynamic) if way]
        return "sentence" if adaption.alone else ", ".join(["text", *ways])


def is_ngram(path: Path) -> bool:
    """Whether a path means a file of n-grams, there or not."""
    return path.is_file() or (path.name.endswith(SUFFIXES) and not path.is_dir())


def open_model(
    path: Path, progress: Advance = lambda done, total: None, *, form: str = ""
) -> Network | Counted:
    """The model in a folder or a file; a network's matrices in fewer bits if a form is given.

    Raises:
        DataError: it is missing, damaged or something else.
        ConfigError: it cannot take that form.
    """
    if is_ngram(path):
        if form:
            raise ConfigError(f"{path}: expected a network for --quantise {form}, got n-grams.")
        return open_counted(path, progress)
    from penstock.models.language import LanguageModel
    from penstock.training.folder import load_language

    found = Network(path, *load_language(path))
    if form:
        if not isinstance(found.model, LanguageModel):
            raise ConfigError(f"{path}: expected a recurrent network for --quantise {form}.")
        found.model.quantise(form)
    return found


def check_same_tokens(models: Sequence[Network | Counted]) -> None:
    """Refuse models that do not predict the same tokens.

    Raises:
        DataError: naming the first that differs from the first model, and some token.
    """
    first = models[0]
    known = set(first.tokeniser.tokens)
    for other in models[1:]:
        if first.tokeniser.kind != other.tokeniser.kind:
            raise DataError(
                f"{other.path}: expected {first.tokeniser.kind} tokens as in {first.path}, "
                f"got {other.tokeniser.kind} tokens. Mix models of the same tokens."
            )
        if differing := sorted(known ^ set(other.tokeniser.tokens)):
            word = differing[0]
            has, lacks = (first, other) if word in known else (other, first)
            raise DataError(
                f"{other.path}: expected the {len(known):,} tokens of {first.path}, got "
                f"{other.tokeniser.vocab_size:,}; {has.path} has {word!r}, {lacks.path} has not. "
                "Train them with the same vocabulary to mix them."
            )
