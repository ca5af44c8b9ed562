"""Speed of n-gram models beside the kenlm package: ``python -m benchmarks ngram TRAIN TEST``.

One model is estimated, written as ARPA and read by both.  Both score the test text line by line;
Penstock scores it in one call too.  They take turns; best and median of the rounds are printed, in
nanoseconds per token, with the sums of log10 p, which must agree.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import kenlm
import numpy as np

from benchmarks.timing import turns
from penstock.counting import NGramModel, Vocabulary, estimate


def made(train: Path, order: int) -> NGramModel:
    """The model of a text, and what making it took, printed."""
    began = time.perf_counter()
    text = train.read_text(encoding="utf-8")
    vocabulary = Vocabulary.of_lines(text.splitlines())
    ids = vocabulary.encode_text(text)
    counted = time.perf_counter()
    model = estimate(ids, vocabulary, order=order)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"tokens": len(ids), "ngrams": sum(model.sizes), "peak_MB": round(peak)}
    times = {"read_s": round(counted - began, 2), "estimate_s": round(ended - counted, 2)}
    print(json.dumps(figures | times))
    return model


def ways(model: NGramModel, theirs: kenlm.Model, text: str) -> dict[str, Callable[[], float]]:
    """Every way to score the text; each gives the sum of log10 p."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    ids = model.vocabulary.encode_text(text)

    def batch(threads: int) -> Callable[[], float]:
        return lambda: float(model.scores(ids, threads=threads)[0].sum(dtype=np.float64))

    return {
        "kenlm, line by line": lambda: sum(theirs.score(line) for line in lines),
        "penstock, line by line": lambda: sum(model.score(line) for line in lines),
        "penstock, 1 thread": batch(1),
        "penstock, 2 threads": batch(2),
    }


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    model = made(options.train, options.order)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.arpa"
        model.save(path)
        text = options.test.read_text(encoding="utf-8")
        calls = ways(model, kenlm.Model(str(path)), text)
    tokens = len(model.vocabulary.encode_text(text))
    for name, seconds in turns(calls, options.rounds).items():
        found = {"best_ns": min(seconds), "median_ns": statistics.median(seconds)}
        figures = {way: round(time / tokens * 1e9, 1) for way, time in found.items()}
        print(json.dumps({"way": name, "log10_p": round(calls[name](), 2)} | figures))
