"""The long-memory example runs, at a length that needs no memory to speak of."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).parents[2] / "examples" / "long_memory.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("long_memory", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("task", ["adding", "copy"])
def test_it_prints_a_table_and_draws_a_picture(example, task, tmp_path, capsys):
    words = f"--task {task} --length 10 --updates 3 --batch 4 --hidden 8 --out {tmp_path}"
    example.main(words.split())
    shown = capsys.readouterr()
    header, *rows = shown.out.splitlines()
    assert header.split()[:4] == ["cell", "updates", "seconds", "loss"]
    assert [row.split()[0] for row in rows[:4]] == example.DEFAULT_CELLS[task]
    assert all(row.split()[1] == "3" and row.endswith("no") for row in rows[:4])
    assert "elman: 3 updates" in shown.err
    assert (tmp_path / f"gradient_flow_{task}_10.png").stat().st_size > 1000


def test_a_short_copy_is_solved(example, tmp_path, capsys):
    words = f"--task copy --length 3 --cells lstm-1997 --updates 1000 --out {tmp_path}"
    example.main(words.split())
    assert capsys.readouterr().out.splitlines()[1].endswith("yes")


def test_the_answer_of_adding_is_the_sum_of_one_number_from_each_half(example):
    xs, total = example.adding(11, 5, torch.Generator().manual_seed(0))
    numbers, marks = xs.unbind(-1)
    assert marks[:5].sum(0).tolist() == marks[5:].sum(0).tolist() == [1.0] * 5
    torch.testing.assert_close(total[:, 0], (numbers * marks).sum(0))


def test_only_the_first_step_of_copy_tells_the_symbol(example):
    xs, symbol = example.copy(6, 5, torch.Generator().manual_seed(0))
    codes = xs.argmax(-1)
    assert codes[0].tolist() == symbol.tolist()
    assert codes[1:6].unique().tolist() == [8]
    assert codes[6].unique().tolist() == [9]


def test_gradient_flow_of_a_linear_memory_is_a_power(example):
    """With h = tanh(u h) near 0, each step back multiplies the gradient by u = 0.5."""
    model = example.Memory("elman", example.TASKS["adding"], 1, None).double()
    with torch.no_grad():
        for name, weight in model.layer.weights().items():
            weight.fill_(0.5 if name == "U" else 0.0)
    xs, target = torch.zeros(6, 3, 2).double(), torch.ones(3, 1).double()
    flow = example.gradient_flow(model, example.TASKS["adding"], xs, target)
    ratios = [later / earlier for earlier, later in itertools.pairwise(flow)]
    assert len(flow) == 5
    assert ratios == pytest.approx([0.5] * 4)


def test_a_length_without_two_halves_is_refused(example, capsys):
    with pytest.raises(SystemExit) as stop:
        example.main(["--length", "1"])
    assert stop.value.code == 2
    assert "--length is at least 2" in capsys.readouterr().err
