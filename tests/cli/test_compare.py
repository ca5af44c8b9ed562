"""``penstock compare`` from end to end."""

from __future__ import annotations

import shutil

import pytest

from penstock.scoring.network import Network
from tests.cli.conftest import one_line


def never(*arguments, **options):
    """Stands for long work before which a mistake is to be told."""
    raise AssertionError("a mistake is told too late")


@pytest.fixture
def two(trained, tmp_path):
    """The same model twice."""
    return trained, shutil.copytree(trained, tmp_path / "other")


def test_table(program, two, texts):
    answer = program("compare", *two, "--test", texts / "train.txt", "--resamples", 100)
    assert answer.status == 0, answer.err
    head, *rows, signature = answer.out.splitlines()
    assert head.split()[:3] == ["model", "perplexity", "interval"]
    assert [row.split()[0] for row in rows] == [str(folder) for folder in two]
    assert " best " in rows[0]
    assert " 1.000 " in rows[1]
    assert "paired bootstrap over 60 lines, 100 resamples" in signature


@pytest.mark.parametrize("lines", [1, 19])
def test_few_lines_tell_nothing_of_chance(program, two, texts, tmp_path, lines):
    whole = (texts / "train.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "few.txt").write_text("".join(whole[:lines]), encoding="utf-8")
    answer = program("compare", *two, "--test", tmp_path / "few.txt")
    assert f"penstock: {lines} of 20 lines: too few lines to tell what is chance" in answer.err
    _, *rows, _ = answer.out.splitlines()
    assert [row.split()[2:4] for row in rows] == [["-", "best"], ["-", "-"]]
    (table,) = program("compare", *two, "--test", tmp_path / "few.txt", "--json").objects
    assert [(row["interval"], row["p_value"]) for row in table["rows"]] == [(None, None)] * 2


def test_models_that_give_the_text_no_probability_are_alike(program, texts, tmp_path):
    """Two files of one maximum-likelihood model, and a text with a word that it never saw."""
    first, second = tmp_path / "first.arpa", tmp_path / "second.arpa"
    options = ("--smoothing", "maximum-likelihood", "--order", "2", "-q")
    for out in (first, second):
        assert program("train", "ngram", texts / "train.txt", "-o", out, *options).status == 0
    lines = (texts / "train.txt").read_text(encoding="utf-8")
    (tmp_path / "test.txt").write_text(lines + "the zebra\n", encoding="utf-8")
    answer = program("compare", first, second, "--test", tmp_path / "test.txt")
    assert (answer.status, answer.err) == (0, "")
    _, one, other, _ = answer.out.splitlines()
    assert one.split()[1] == other.split()[1] == "inf"
    assert one.split()[3:6] == ["-", "inf", "best"]
    assert other.split()[3:6] == ["-", "inf", "1.000"]


def test_json_agrees_with_evaluate(program, trained, texts):
    for option in ((), ("--sentences",)):
        files = ("--test", texts / "test.txt", "--json", "-q", *option)
        (table,) = program("compare", trained, *files).objects
        (alone,) = program("evaluate", trained, *files).objects
        (row,) = table["rows"]
        assert row["perplexity"] == pytest.approx(alone["perplexity"], rel=1e-5)
        assert row["context"] == alone["context"]
        assert row["bytes"] < sum(f.stat().st_size for f in trained.rglob("*") if f.is_file())
        assert table["comparable"]


def test_a_model_given_twice_is_one(program, trained, texts):
    files = ("--test", texts / "test.txt", "--json")
    (table,) = program("compare", trained, trained, *files).objects
    assert len(table["rows"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "nothing: expected the folder of a model"),
        (("--resamples", "7"), "expected resamples >= 100"),
        (("--resamples", str(10**21)), "and <= 1,000,000, got resamples=1000"),
    ],
)
def test_mistakes(program, trained, texts, arguments, message):
    first = () if arguments[0] == "nothing" else (trained,)
    line = one_line(program("compare", *first, *arguments, "-q", "--test", texts / "test.txt"))
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "nothing: expected the folder of a model"),
        (("--resamples", "7"), "expected resamples >= 100"),
        (("--test", "none.txt"), "none.txt: no such file."),
    ],
    ids=str,
)
def test_mistakes_are_told_before_anything_is_scored(
    program, trained, texts, monkeypatch, arguments, message
):
    monkeypatch.setattr(Network, "log_probs", never)
    answer = program("compare", trained, *arguments, "-q", "--test", texts / "test.txt")
    assert message in one_line(answer)
