"""``penstock compare`` from end to end."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.conftest import one_line


@pytest.fixture
def two(trained, tmp_path):
    """The same model twice."""
    return trained, shutil.copytree(trained, tmp_path / "other")


def test_table(program, two, texts):
    answer = program("compare", *two, "--test", texts / "test.txt", "--resamples", 100)
    assert answer.status == 0, answer.err
    head, *rows, signature = answer.out.splitlines()
    assert head.split()[:3] == ["model", "perplexity", "interval"]
    assert [row.split()[0] for row in rows] == [str(folder) for folder in two]
    assert " best " in rows[0]
    assert " 1.000 " in rows[1]
    assert "paired bootstrap over 12 lines, 100 resamples" in signature


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
    ],
)
def test_mistakes(program, trained, texts, arguments, message):
    first = () if arguments[0] == "nothing" else (trained,)
    line = one_line(program("compare", *first, *arguments, "-q", "--test", texts / "test.txt"))
    assert message in line
