"""Two processes that share each batch do what one does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from penstock.training import checkpoint
from penstock.training.log import METRICS, read
from tests.training import pairs_toy

ROOT = Path(__file__).parents[2]
PLAIN = dict.fromkeys(("embedding_dropout", "context_dropout", "output_dropout"), 0.0)
PLAIN |= {"optimiser": "sgd", "lr": 0.1, "clip_norm": 0.0, "log_every": 1}


def together(texts: Path, folder: Path, number: int, options: dict[str, object]) -> None:
    """Train with so many processes, as ``torchrun`` starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(number):
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(number),
            "RANK": str(rank),
        }
        command = [sys.executable, "-m", "tests.training.pairs_toy", texts, folder]
        command.append(json.dumps(options))
        processes.append(subprocess.Popen(command, env=env, cwd=ROOT))
    assert [process.wait(timeout=120) for process in processes] == [0] * number


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    pairs_toy.write(folder)
    return folder


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 1}, {"risk": 3}, {"coverage_loss": 0.5}],
    ids=["pairs", "one pair to share", "minimum risk", "coverage"],
)
def test_two_processes_train_as_one(texts, tmp_path, options):
    options = PLAIN | {"epochs": 1} | options
    pairs_toy.train(texts, tmp_path / "one", **options)
    together(texts, tmp_path / "two", 2, options)
    ends = [checkpoint.load_latest(tmp_path / run, pytest.fail) for run in ("one", "two")]
    for name, weight in ends[0]["model"].items():
        torch.testing.assert_close(ends[1]["model"][name], weight, rtol=1e-4, atol=1e-6)
    logs = [read(tmp_path / run / METRICS) for run in ("one", "two")]
    for alone, shared in zip(*logs, strict=True):
        for name in {"loss", "grad_norm", "train_loss", "valid_loss", "valid_bleu"} & set(alone):
            assert shared[name] == pytest.approx(alone[name], rel=1e-4, abs=1e-6)


def test_what_was_interrupted_goes_on_with_the_same_bits(texts, tmp_path):
    """Dropout differs between processes, and is drawn again as it was."""
    together(texts, tmp_path / "whole", 2, {"epochs": 2})
    together(texts, tmp_path / "parts", 2, {"epochs": 1})
    together(texts, tmp_path / "parts", 2, {"epochs": 2})
    for name in (METRICS, checkpoint.BEST):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
