"""A translator with the tokenisers of its sides, kept in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.caching import cached_property
from penstock.errors import DataError
from penstock.models import store
from penstock.models.translator import Translator
from penstock.text import SentenceTokeniser
from penstock.translation.shortlist import FILE, Shortlist

__all__ = ["SIDES", "TOKENISERS", "System", "load_translator"]

SIDES = ("source", "target")
"""Names of the tokenisers."""
TOKENISERS = tuple(f"{side}{end}" for side in SIDES for end in (".json", ".tokenizer.json"))
"""Their files."""


@dataclass(frozen=True)
class System:
    """All that turns a raw sentence into a raw translation.

    Attributes:
        path: its folder.
        model: in evaluation mode.
        source, target: the tokenisers.
        settings: those it was trained with, by name.
    """

    path: Path
    model: Translator
    source: SentenceTokeniser
    target: SentenceTokeniser
    settings: Mapping[str, Any]

    @property
    def tokenisers(self) -> tuple[SentenceTokeniser, SentenceTokeniser]:
        """Of source and target."""
        return self.source, self.target

    @cached_property
    def shortlist(self) -> Shortlist:
        """The likely translations of its source tokens.

        Raises:
            DataError: it is missing, damaged or of other tokenisers.
        """
        found = Shortlist.load(self.path)
        if found.made_for != tuple(side.fingerprint for side in self.tokenisers):
            raise DataError(
                f"{self.path / FILE}: expected the list made with this translator, got "
                "another's. The command that trained it makes one, without training again, where "
                "there is none."
            )
        return found

    def encode(self, lines: Iterable[str]) -> list[list[int]]:
        """Ids of source lines, ``<eos>`` after each."""
        return [[*self.source.encode(line), self.source.eos_id] for line in lines]


def load_translator(folder: Path) -> System:
    """The translator of a folder.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    model, description = store.load_model(folder), store.read_description(folder)
    if not isinstance(model, Translator):
        raise DataError(
            f"{folder}: expected a translator, got a {model.kind} model. "
            "Train one with penstock train translate."
        )
    known, settings = (description.get(name) for name in ("tokenisers", "settings"))
    if not isinstance(known, dict) or not isinstance(settings, dict):
        raise DataError(
            f"{folder / store.DESCRIPTION}: expected the tokenisers and settings of a translator, "
            "got something else. Put back the file that was made with this model."
        )
    sides = {}
    for side, size in zip(SIDES, (model.source_size, model.target_size), strict=True):
        tokeniser = SentenceTokeniser.load(folder, side)
        if tokeniser.vocab_size != size or tokeniser.fingerprint != known.get(side):
            raise DataError(
                f"{folder / side}.json: expected the tokeniser this model was trained with, of "
                f"{size:,} tokens, got another, of {tokeniser.vocab_size:,}. "
                "Put back the files that were made with this model."
            )
        sides[side] = tokeniser
    return System(folder, model, sides["source"], sides["target"], settings)
