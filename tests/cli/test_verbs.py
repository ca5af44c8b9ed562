"""Every verb from end to end on a tiny text."""

from __future__ import annotations

import gzip
import json
import lzma
import math
import re
from importlib.metadata import version

import pytest

from penstock.cells import CELLS
from penstock.cli import quickstart
from penstock.models import store
from tests.cli.conftest import one_line, sentences

LEFT = {
    "best.safetensors",
    "card.md",
    "checkpoint.safetensors",
    "metrics.jsonl",
    "model.json",
    "report.html",
    "results.json",
    "text",
    "tokenizer.json",
    "weights.safetensors",
}


def test_version_and_help(program):
    assert program("--version").out == f"penstock {version('penstock')}\n"
    verbs = program("--help").out
    assert all(verb in verbs for verb in ("train", "evaluate", "generate", "score", "cells"))
    assert program().status == 2
    page = program("train", "lm", "--help")
    assert page.status == 0
    assert max(map(len, page.out.splitlines())) <= 100
    assert "[adam]" in page.out
    assert "constant, cosine, halve, zaremba" in " ".join(page.out.split())


def test_train_leaves_a_model(program, lm, tmp_path, report):
    answer = program(*lm("--json"))
    assert answer.status == 0, answer.err
    (result,) = answer.objects
    left = {file.name for file in (tmp_path / "model").iterdir()}
    assert left >= LEFT
    assert not [name for name in left if name.endswith(".tmp")]
    assert "epoch 1/1" in answer.err
    again = program(*lm("--json", "--quiet"))
    assert again.objects == [result]
    assert again.err == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--tokens", "character", "--cell", "gru"],
        ["--tokens", "byte", "--cell", "elman", "--sentences"],
        ["--tokens", "bpe", "--vocab-size", "280"],
        ["--tokens", "unigram", "--vocab-size", "280"],
        ["--layers", "2", "--hidden", "5,4", "--tied", "--embedding", "4", "--dropout", "0.2"],
        ["--projection", "3", "--learn-state", "--layer-norm", "--zoneout", "0.1"],
        ["--optimiser", "sgd", "--schedule", "halve", "--k1", "4", "--k2", "7"],
    ],
    ids=" ".join,
)
def test_every_kind_of_model_is_trained_and_read_back(program, lm, texts, tmp_path, options):
    (trained,) = program(*lm("--json", *options)).objects
    valid = trained["results"]["valid"]
    assert 1 < valid["perplexity"] < 600
    alone = ["--sentences"] if "--sentences" in options else []
    evaluated = program(
        "evaluate", tmp_path / "model", "--test", texts / "valid.txt", "--json", *alone
    )
    (found,) = evaluated.objects
    figures = {name for name, value in valid.items() if isinstance(value, float)}
    assert {name: found[name] for name in figures} == pytest.approx(
        {name: valid[name] for name in figures}, rel=1e-7
    )  # products of other batches may be added up in another order
    assert {**found, **{name: valid[name] for name in figures}} == valid


def test_train_without_json_says_what_was_found(program, lm, texts, tmp_path):
    answer = program(*lm("--test", texts / "test.txt"))
    assert re.search(r"^test perplexity \d+\.\d\d  \(perplexity = exp\(", answer.out, re.M)
    assert f"model in {tmp_path / 'model'}, report in" in answer.out


def test_several_and_packed_files_are_one_text(program, lm, texts, tmp_path):
    text = (texts / "train.txt").read_bytes()
    half = text.index(b"\n", len(text) // 2) + 1
    (tmp_path / "a.gz").write_bytes(gzip.compress(text[:half]))
    (tmp_path / "b.xz").write_bytes(lzma.compress(text[half:]))
    packed = ("--train", tmp_path / "a.gz", "--train", tmp_path / "b.xz")
    arguments = lm("--quiet", out=tmp_path / "packed")
    arguments[2:4] = packed
    assert program(*arguments).status == 0
    assert program(*lm("--quiet")).status == 0
    weights = [(tmp_path / name / store.WEIGHTS).read_bytes() for name in ("packed", "model")]
    assert weights[0] == weights[1]


def test_a_cell_from_a_file(program, lm, tmp_path):
    (tmp_path / "my_cell.txt").write_text("h = tanh(W @ x + u * h[t-1] + b)  # mine\n")
    assert program(*lm("--cell-file", tmp_path / "my_cell.txt")).status == 0
    described = json.loads((tmp_path / "model" / "model.json").read_text())
    assert "u * h[t-1]" in described["model"]["equations"]


def test_a_recipe_and_what_overrules_it(program, texts, tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(
        'hidden = [5, 4]\nlayers = 2\nepochs = 3\nk1 = 8\nlr = 1\noptimiser = "sgd"\n'
        f'[texts]\ntrain = "{texts / "train.txt"}"\nvalid = "valid.txt"\n'
    )
    monkeypatch.setenv("PENSTOCK_DATA", str(texts))
    monkeypatch.chdir(tmp_path)
    answer = program("train", "lm", "--recipe", tmp_path / "tiny.toml", "--epochs", 1, "--json")
    assert answer.objects[0]["folder"] == "runs/tiny"
    settings = json.loads((tmp_path / "runs/tiny/model.json").read_text())["settings"]
    wanted = {"hidden": "5,4", "layers": 2, "epochs": 1, "lr": 1.0}
    assert {name: settings[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "options",
    [[], ["--cache", "20"], ["--dynamic", "0.1", "--dynamic-steps", "5"], ["--sentences"]],
    ids=" ".join,
)
def test_evaluate(program, trained, texts, options):
    answer = program("evaluate", trained, "--test", texts / "test.txt", "--json", *options)
    (found,) = answer.objects
    assert answer.err == ""
    assert found["context"].startswith("sentence" if "--sentences" in options else "text")
    assert found["perplexity"] == pytest.approx(math.exp(found["nats"] / found["tokens"]))
    plain = program("evaluate", trained, "--test", texts / "test.txt", *options).out
    assert f"perplexity          {found['perplexity']:.2f}\n" in plain
    assert plain.endswith(found["signature"] + "\n")


def test_evaluate_tells_unknown_words_apart(program, trained, texts, tmp_path):
    known, more = texts / "test.txt", tmp_path / "more.txt"
    more.write_text(known.read_text(encoding="utf-8") + "qwertz\n", encoding="utf-8")
    (found,) = program("evaluate", trained, "--test", more, "--json").objects
    assert found["unknown"] == 1
    assert found["perplexity_without_unk"] != found["perplexity"]
    assert "    without <unk>   " in program("evaluate", trained, "--test", more).out
    assert "without" not in program("evaluate", trained, "--test", known, "--json").out


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_network_in_fewer_bits(program, trained, texts, precision):
    words = ["evaluate", trained, "--test", texts / "test.txt", "--json"]
    (plain,), (found,) = (
        program(*words, *more).objects for more in ([], ["--quantise", precision])
    )
    assert plain["perplexity"] != found["perplexity"]
    assert abs(found["perplexity"] / plain["perplexity"] - 1) < 0.01
    assert program("generate", trained, "--tokens", 3, "--quantise", precision).status == 0
    refused = program(*words, "--quantise", precision[:-1])
    assert refused.status == 2
    assert f"Did you mean '{precision}'?" in refused.err


def test_evaluate_agrees_with_training(program, trained, texts):
    (found,) = program("evaluate", trained, "--test", texts / "valid.txt", "--json").objects
    results = json.loads((trained / "results.json").read_text())["results"]
    assert found == results["valid"]


def test_generate(program, trained):
    def words(*options: object) -> str:
        answer = program("generate", trained, "--tokens", 12, *options)
        assert answer.status == 0
        assert answer.err == ""
        return answer.out

    greedy = words("--greedy")
    assert greedy == words("--greedy", "--seed", 9) == words("--top-k", 1)
    assert words("--seed", 2) == words("--seed", 2) != words("--seed", 3)
    assert words("--top-p", "0.5", "--top-k", 3) == words("--top-p", "0.5", "--top-k", 3)
    assert words("--prompt", "the zebra", "--greedy").startswith("the zebra ")
    assert "<unk>" not in words("--temperature", 3)
    (record,) = program("generate", trained, "--greedy", "--tokens", 12, "--json").objects
    assert record == {"prompt": "", "text": greedy.removesuffix("\n")}


def test_generated_bytes_are_shown_as_characters(program, lm, tmp_path):
    assert program(*lm("--tokens", "byte", "-q")).status == 0
    answer = program("generate", tmp_path / "model", "--prompt", "café é", "--tokens", 80)
    assert answer.status == 0
    assert answer.out.startswith("café é")


LINES = ["the cat sees", "", "a zebra runs", "the cat sees", "  the   big house  "]


def test_score_keeps_the_order(program, trained):
    stdin = "".join(f"{line}\n" for line in LINES).encode()
    rows = [row.split("\t") for row in program("score", trained, stdin=stdin).out.splitlines()]
    assert [row[2] for row in rows] == LINES
    assert [int(row[1]) for row in rows] == [len(line.split()) + 1 for line in LINES]
    assert rows[0] == rows[3]
    records = program("score", trained, "--json", "--tokens", stdin=stdin).objects
    assert [f"{record['log_p']:.4f}" for record in records] == [row[0] for row in rows]
    assert [token for token, _ in records[2]["by_token"]] == ["a", "<unk>", "runs", "<eos>"]
    assert records[2]["log_p"] == pytest.approx(sum(p for _, p in records[2]["by_token"]))


def test_score_by_token_in_plain_text(program, trained):
    out = program("score", trained, "--tokens", stdin=b"the cat").out.splitlines()
    assert out[0].endswith("\t3\tthe cat")
    assert [row.split("\t")[1] for row in out[1:]] == ["the", "cat", "<eos>"]


def test_a_long_line_costs_what_it_costs_in_a_text(program, trained, tmp_path):
    line = " ".join(sentences(5, 1500).split())
    (tmp_path / "long.txt").write_text(line + "\n", encoding="utf-8")
    (found,) = program("evaluate", trained, "--test", tmp_path / "long.txt", "--json").objects
    stdin = f"a cat\n{line}\na cat\n".encode()
    before, long, after = program("score", trained, "--json", stdin=stdin).objects
    assert long["log_p"] == pytest.approx(-found["nats"])
    assert before == after
    (alone,) = program("score", trained, "--json", stdin=b"a cat\r\n").objects
    assert alone["line"] == "a cat"
    assert alone["log_p"] == pytest.approx(before["log_p"])


def test_lines_before_a_mistake_are_scored(program, trained):
    answer = program("score", trained, stdin=b"the cat\na dog\n\xff\nthe cat\n")
    assert answer.status == 2
    assert [row.split("\t")[2] for row in answer.out.splitlines()] == ["the cat", "a dog"]
    assert answer.err == "penstock: stdin:3: expected UTF-8 (invalid start byte).\n"


@pytest.mark.parametrize(
    ("verb", "options", "said"),
    [
        ("generate", ["--greedy", "--temperature", "0.5"], "no --temperature: --greedy takes"),
        ("generate", ["--greedy", "--top-k", "3", "--top-p", "0.5"], "no --top-k, --top-p: --gre"),
        ("generate", ["--weights", "7"], "generate: expected no --weights: there is one model"),
        ("score", ["--weights", "7"], "score: expected no --weights: there is one model"),
    ],
    ids=str,
)
def test_options_without_effect(program, trained, verb, options, said):
    assert said in one_line(program(verb, trained, *options))


def test_score_of_nothing(program, trained):
    assert program("score", trained, stdin=b"") == (0, "", "")


def test_cells(program):
    listed = program("cells", "--json").objects
    assert [one["name"] for one in listed] == list(CELLS)
    table = program("cells").out
    assert all(name in table for name in CELLS)
    (facts,) = program("cells", "lstm", "--json").objects
    page = program("cells", "lstm").out
    assert all(f"  {name} " in page for name in facts["weights"])
    assert f"{facts['count']:,}" in page
    assert r"\sigma" in program("cells", "lstm", "--latex").out
    assert program("cells", "lstm", "--graph").out.startswith("digraph")


def test_quickstart(program, tmp_path, monkeypatch, report):
    small = {"hidden": "4", "min_count": 40, "batch_size": 64, "log_every": 50}
    monkeypatch.setattr(quickstart, "SETTINGS", quickstart.SETTINGS | small)
    out = tmp_path / "quick"
    answer = program("quickstart", "--out", out, "--cells", "elman, gru", "--epochs", 1, "--json")
    (found,) = answer.objects
    untrained, *rows = found["rows"]
    assert [row["cell"] for row in rows] == ["elman", "gru"]
    assert all(row["perplexity"] < untrained["perplexity"] for row in rows)
    assert found["sample"]
    assert (out / "report.html").is_file()
    assert "training gru" in answer.err
    table = program("quickstart", "--out", out, "--cells", "gru", "--epochs", 1, "-q")
    assert table.err == ""
    assert table.out.splitlines()[2].startswith("gru ")
