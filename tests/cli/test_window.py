"""A window network and another output through every verb, and what is refused."""

from __future__ import annotations

import pytest

from tests.cli.conftest import one_line

WINDOW = ("--cell", "window", "--context", 3, "--output", "hierarchical", "-q")


@pytest.fixture
def folder(program, lm, tmp_path):
    assert program(*lm(*WINDOW, "--direct")).status == 0
    return tmp_path / "model"


def test_every_verb_reads_it(program, folder, texts):
    (found,) = program("evaluate", folder, "--test", texts / "test.txt", "--json", "-q").objects
    (alone,) = program(
        "evaluate", folder, "--test", texts / "test.txt", "--sentences", "--json", "-q"
    ).objects
    assert found["perplexity"] != alone["perplexity"]
    lines = (texts / "test.txt").read_bytes()
    scores = program("score", folder, "--json", stdin=lines).objects
    assert -sum(row["log_p"] for row in scores) == pytest.approx(alone["nats"], rel=1e-5)
    assert len(program("generate", folder, "--tokens", 5).out.split()) >= 1
    assert program("evaluate", folder, "--test", texts / "test.txt", "--cache", 9).status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cell", "lstm", "--context", 4), "expected equations without a state, got 'lstm'"),
        (("--direct",), "expected direct with a window network"),
        (
            ("--cell", "window", "--weight-drop", 0.2),
            "expected a cell with a state for weight_drop",
        ),
        (("--output", "clas"), "unknown output 'clas'. Did you mean 'class'?"),
        (("--output", "nce", "--samples", 0), "samples of at least 1"),
        (("--output", "class", "--classes", 999), "expected classes from 1 to vocab_size="),
        (("--output", "adaptive"), "a width of at least 16"),
    ],
    ids=str,
)
def test_mistakes(program, lm, tmp_path, options, message):
    assert message in one_line(program(*lm(*options)))
    assert not (tmp_path / "model" / "weights.safetensors").exists()
