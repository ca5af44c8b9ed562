"""Perplexity after the same time with every output layer.

    python -m benchmarks output_perplexity TEXT... --words 200000 --seconds 120

A window network learns from the text for so many seconds with each output in turn; its last tokens
are held out, and cost what the exact probabilities say.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from penstock.layers.output import OUTPUTS
from penstock.scoring.losses import token_losses
from penstock.text import Corpus, Tokeniser
from penstock.training import seed_everything
from penstock.training.clip import named_gradients
from penstock.training.language import LanguageSettings, build_model, build_task, token_counts
from penstock.training.optimise import optimiser
from penstock.training.update import update


def learn(
    settings: LanguageSettings, tokeniser: Tokeniser, ids: np.ndarray, options: argparse.Namespace
) -> dict[str, float]:
    """Train for a time, then evaluate."""
    seed_everything(settings.seed)
    seen, held = ids[: -options.held], ids[-options.held :]
    counts = torch.from_numpy(token_counts(seen, tokeniser.vocab_size))
    model = build_model(settings, tokeniser.vocab_size, counts).train()
    statistics = Corpus.from_lines([], tokeniser).statistics
    task = build_task(
        model, settings, tokeniser, Corpus(seen, statistics), Corpus(held, statistics)
    )
    steps = optimiser(settings.optimiser, model.parameters(), settings.lr)
    done = tokens = 0
    began = time.perf_counter()
    while time.perf_counter() - began < options.seconds:
        epoch, index = divmod(done, task.updates_per_epoch)
        if index == 0:
            task.begin_epoch(epoch)
        found = update(task, index, steps, settings, named_gradients(model))
        done, tokens = done + 1, tokens + found.tokens
    speed = tokens / (time.perf_counter() - began)
    losses = token_losses(model, held, tokeniser.eos_id, steps=64)
    return {"tokens": tokens, "tokens_per_second": speed, "perplexity": math.exp(losses.mean())}


def main() -> None:
    """Print one line an output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, nargs="+")
    parser.add_argument("--words", type=int, default=0, help="of the vocabulary, 0: all")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--held", type=int, default=10_000, help="last tokens, held out")
    parser.add_argument("--hidden", default="100")
    parser.add_argument("--optimiser", default="adagrad")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--outputs", nargs="+", default=list(OUTPUTS))
    parser.add_argument("--sparse", action="store_true", help="sparse updates")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokeniser = Tokeniser.train(options.text, "word", vocab_size=options.words or None)
    with TemporaryDirectory() as place:
        ids = np.array(Corpus.build(options.text, tokeniser, place, "text").ids)
    print(f"{tokeniser.vocab_size:,} words, {len(ids):,} tokens, {options.seconds:g} s each")
    for output in options.outputs:
        settings = LanguageSettings(
            cell="window",
            hidden=options.hidden,
            output=output,
            optimiser=options.optimiser,
            lr=options.lr,
            clip_norm=1.0,
            sparse=options.sparse,
        )
        print(json.dumps({"output": output} | learn(settings, tokeniser, ids, options)), flush=True)
