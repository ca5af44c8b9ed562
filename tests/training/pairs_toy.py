"""A toy language pair: words spelt otherwise and in reverse order.

Run as a program it trains in the folder given, for tests that need processes of their own.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import torch

from penstock.text import PairFiles, Preparation, SentenceTokeniser
from penstock.training.pair_texts import PairTexts
from penstock.training.translate_run import TranslatorRun, train_translator
from penstock.training.translation import build_model
from penstock.training.translation_settings import TranslationSettings
from penstock.translation.system import System

WORDS = {"one": "eins", "two": "zwei", "red": "rot", "dog": "Hund", "cat": "Katze", "and": "und"}
SMALL = {
    "tokens": "word",
    "pretokenise": "none",
    "joint": False,
    "vocab_size": 0,
    "hidden": "8",
    "embedding": 6,
    "batch_size": 5,
    "lr": 0.01,
    "epochs": 2,
    "patience": 0,
    "checkpoint_every": 3,
    "log_every": 2,
}


def pairs(number: int, seed: int) -> list[tuple[str, str]]:
    """Sentences of one to five words, and their translations."""
    draw = random.Random(seed)
    sources = (draw.choices(list(WORDS), k=draw.randint(1, 5)) for _ in range(number))
    return [(" ".join(s), " ".join(WORDS[word] for word in reversed(s))) for s in sources]


PAIRS = pairs(60, 1)


def write(folder: Path, number: int = 40) -> PairTexts:
    """Files of such sentences."""
    files = {}
    for part, count, seed in (("train", number, 1), ("valid", 9, 2), ("test", 9, 3)):
        sides = zip(*pairs(count, seed), strict=True)
        names = [folder / f"{part}.{side}" for side in ("src", "tgt")]
        for name, lines in zip(names, sides, strict=True):
            if not name.exists():
                name.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        files[part] = PairFiles(*names)
    return PairTexts(**files)


def train(texts: Path, folder: Path, **options: object) -> TranslatorRun:
    """Train on them."""
    return train_translator(write(texts), TranslationSettings(**(SMALL | options)), folder)


def untrained(folder, kind="word", **options):
    """A system whose weights say nothing: whatever it has to do comes of its search."""
    size = {"bpe": 300, "unigram": 300}.get(kind)
    plain = Preparation("none")
    sides = [list(side) for side in zip(*PAIRS, strict=True)]
    source, target = (
        SentenceTokeniser.train(side, kind, vocab_size=size, preparation=plain) for side in sides
    )
    settings = TranslationSettings(tokens=kind, hidden="8", embedding=6, joint=False, **options)
    torch.manual_seed(3)
    model = build_model(settings, source.vocab_size, target.vocab_size).eval()
    return System(folder, model, source, target, {})


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3]))
