"""The program run in this process, tiny texts, and one small model that many tests read."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from penstock.cli.main import main
from tests.training import pairs_toy

TEXT = "the a cat dog house tree runs sees eats big small red under with café"
WORDS = TEXT.split()


class Answer(NamedTuple):
    """What a run of the program gave."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Standard output as JSON, one object a line and nothing else."""
        found = [json.loads(line, parse_constant=_no_constant) for line in self.out.splitlines()]
        assert all(isinstance(one, dict) for one in found)
        return found


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


Program = Callable[..., Answer]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """``program("verb", option, ..., stdin=b"")`` runs the program."""

    def run(*arguments: object, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        status = left.value.code
        assert isinstance(status, int)
        return Answer(status, *capsys.readouterr())

    return run


def one_line(answer: Answer) -> str:
    """The error of a mistake: exit 2, one line on stderr, nothing on stdout."""
    assert answer.status == 2, answer
    assert answer.out == ""
    *before, line = answer.err.splitlines()
    assert line.startswith("penstock: "), answer.err
    assert all(text.startswith("vocabulary ") for text in before), answer.err
    return line


def sentences(seed: int, number: int) -> str:
    """Lines of a few words."""
    draw = random.Random(seed)
    lines = (draw.choices(WORDS, k=draw.randint(3, 8)) for _ in range(number))
    return "".join(" ".join(line) + "\n" for line in lines)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.txt, valid.txt and test.txt."""
    folder = tmp_path_factory.mktemp("texts")
    for seed, (name, number) in enumerate((("train", 60), ("valid", 12), ("test", 12))):
        (folder / f"{name}.txt").write_text(sentences(seed, number), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.src, train.tgt, valid.src ..."""
    folder = tmp_path_factory.mktemp("pairs")
    pairs_toy.write(folder)
    return folder


@pytest.fixture
def report() -> None:
    """Asked for by a test that wants the report too, which takes most of a tiny run's time."""


@pytest.fixture(autouse=True)
def _report_or_none(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "report" not in request.fixturenames:
        module = "penstock.inspect.report"
        monkeypatch.setattr(f"{module}.gather", lambda run, **options: run)
        monkeypatch.setattr(f"{module}.write_report", lambda folder, data: folder / "report.html")


SMALL = ("--hidden", "6", "--epochs", "1", "--k1", "8", "--batch-size", "4", "--lr", "0.01")


@pytest.fixture
def lm(texts: Path, tmp_path: Path) -> Callable[..., list[object]]:
    """Arguments that train a tiny model in ``out``; more of them overrule these."""

    def arguments(*more: object, out: Path = tmp_path / "model") -> list[object]:
        files = ("--train", texts / "train.txt", "--valid", texts / "valid.txt")
        return ["train", "lm", *files, "--out", out, *SMALL, *more]

    return arguments


@pytest.fixture(scope="session")
def trained(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained model of words; not to be written to."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    files = [f"--{part}={texts / part}.txt" for part in ("train", "valid")]
    with pytest.raises(SystemExit) as left:
        main(["train", "lm", *files, "--out", str(folder), *SMALL, "--min-count", "2", "-q"])
    assert left.value.code == 0
    return folder


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def process(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """The program as a process of its own, on one thread."""
    command = [sys.executable, "-m", "penstock", *map(str, arguments)]
    room = str(Path(__file__).parents[2])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": room}
    return subprocess.Popen(command, env=env, **options)
