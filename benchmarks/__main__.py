"""``python -m benchmarks NAME ...``: run one of the benchmarks."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "cost",
    "decoding",
    "layers",
    "memory",
    "ngram",
    "outputs",
    "output_perplexity",
    "products",
    "translation",
)

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"python -m benchmarks NAME [options], where NAME is one of {', '.join(NAMES)}")
    name = sys.argv.pop(1)
    importlib.import_module(f"benchmarks.{name}").main()
