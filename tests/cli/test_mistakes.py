"""Bad input: one clear line on stderr, exit 2, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from penstock.text import Tokeniser
from penstock.training import memory
from tests.cli.conftest import one_line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evalute"], "No such command 'evalute'. Did you mean 'evaluate'?"),
        (["train", "lm", "--hiden", "3"], "No such option: --hiden (Possible options: --h"),
        (["train", "lm", "--layers", "two"], "Invalid value for '--layers'"),
        (["train", "lm"], "train lm: expected --train FILE and --valid FILE."),
        (["generate"], "Missing argument 'models'."),
        (["cells", "lstn"], "unknown cell 'lstn'. Did you mean 'lstm'?"),
        (["cells", "--latex"], "expected the name of a cell"),
        (["quickstart", "--cells", "lstm,lstn"], "unknown cell 'lstn'. Did you mean 'lstm'?"),
        (["score", "nowhere"], "nowhere: expected the folder of a model, but it does not exist."),
        (["evaluate", ".", "--test", "x"], ".: expected the folder of a model, but it has no mod"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command(program, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in one_line(program(*arguments))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden", "0"], "expected hidden as one number >= 1"),
        (["--hidden", "abc"], "got hidden='abc'"),
        (["--hidden", "10,20", "--layers", "3"], "or 3 of them as in 300,200, got hidden='10,20'"),
        (["--layers", "0"], "expected whole number layers of at least 1, got layers=0"),
        (["--tied", "--embedding", "4"], "Set embedding=6, or projection=4 where there is one."),
        (["--lr", "-1"], "expected lr above 0, got lr=-1.0"),
        (["--lr", "nan"], "expected lr above 0, got lr=nan"),
        (["--dropout", "1.5"], "expected dropout from 0 to below 1, got dropout=1.5"),
        (["--k1", "0", "--epochs", "0"], "got epochs=0. expected whole number k1"),
        (["--seed", str(2**70)], "expected seed up to"),
        (["--cell", "lstn"], "unknown cell 'lstn'. Did you mean 'lstm'?"),
        (["--optimiser", "adm"], "unknown optimiser 'adm'. Did you mean 'adam'?"),
        (["--schedule", "cosin"], "unknown schedule 'cosin'. Did you mean 'cosine'?"),
        (["--tokens", "wrd"], "unknown tokens 'wrd'. Did you mean 'word'?"),
        (["--recipe", "ptb-elmann"], "unknown recipe 'ptb-elmann'. Did you mean 'ptb-elman'?"),
        (["--threads", "100000"], "Invalid value for '--threads'"),
        (["--hidden", str(10**6)], "expected a model that fits in memory, got 8,0"),
        (["--hidden", str(10**9)], "expected sizes that fit in memory"),
        (["--hidden", str(10**10)], "expected smaller sizes"),
        (["--embedding", str(10**19), "--cell", "elman"], "expected embedding up to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_writes_nothing(program, lm, tmp_path, options, said):
    assert said in one_line(program(*lm(*options)))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch-size", "100000"], "expected 1 <= batch_size <="),
        (["--vocab-size", "2"], "expected vocab_size of 3 at least for kind 'word'"),
        (["--tokens", "byte", "--vocab-size", "300"], "It has the 256 bytes."),
        (["--min-count", "1000"], "Take a lower min_count."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_setting_the_text_refuses_can_be_mended(program, lm, options, said):
    """The folder it leaves is taken over by the command that is right."""
    assert said in one_line(program(*lm(*options)))
    assert program(*lm("--quiet")).status == 0


def test_several_processes(program, lm, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "expected one process, got 2. Start it without torchrun" in one_line(program(*lm()))
    assert not (tmp_path / "model").exists()


def test_a_vocabulary_that_is_too_large(program, lm, monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 8_000)
    said = one_line(program(*lm()))
    assert "expected a model that fits in memory, got 5" in said


def write(path, data):
    path.write_bytes(data)
    return path


FILES = {
    "missing": (None, "no such file. Did you mean"),
    "empty": (b"", "the file is empty"),
    "blank lines": (b"\n\n\n", "the text is empty: not one token in it"),
    "not UTF-8": (b"the cat\na \xff dog\n" * 40, ":2: expected UTF-8, got byte 0xff"),
    "one word": (b"cat", "for a text of 2 tokens. Use smaller batches or a longer text."),
    "gzip cut short": (b"\x1f\x8b\x08\x00", "the .gz file is damaged or cut short"),
    "no gzip": (b"the cat", "the .gz file is damaged or cut short"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_training_text_that_cannot_be_used(program, lm, texts, tmp_path, case):
    data, said = FILES[case]
    bad = tmp_path / ("train.gz" if "gzip" in case else "train.txt")
    if data is None:
        (tmp_path / "trains.txt").touch()
    else:
        bad.write_bytes(data)
    arguments = lm()
    arguments[3] = bad
    line = one_line(program(*arguments))
    assert said in line
    if case not in ("blank lines", "one word"):
        assert str(bad) in line
    assert program(*lm("--quiet")).status == 0, "the mended command is refused"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"rien ne va plus\n", "expected tokens of the vocabulary, got 4 unknown ones"),
        (b"the \xe9\n", ":1: expected UTF-8, got byte 0xe9"),
        (b"\n", "for a text of 1 tokens"),
    ],
)
def test_a_validation_text_that_cannot_be_used(program, lm, tmp_path, data, said):
    bad = write(tmp_path / "bad.txt", data)
    arguments = lm()
    arguments[5] = bad
    assert said in one_line(program(*arguments))


def test_a_test_text_is_looked_at_before_training(program, lm, tmp_path):
    bad = write(tmp_path / "french.txt", b"rien ne va plus\n")
    line = one_line(program(*lm("--test", bad)))
    assert f"{bad}: expected tokens of the vocabulary" in line
    assert not (tmp_path / "model" / "metrics.jsonl").exists()


def test_folders_and_pipes_are_no_text(program, lm, tmp_path):
    assert "got a folder" in one_line(program(*lm("--test", tmp_path)))
    os.mkfifo(tmp_path / "pipe")
    assert "got a pipe or device" in one_line(program(*lm("--test", tmp_path / "pipe")))


def test_all_files_that_are_missing_are_named(program, lm):
    answer = program(*lm("--test", "no.txt", "--test", "neither.txt"))
    assert answer.status == 2
    assert [line.split(": ")[-2] for line in answer.err.splitlines()] == ["no.txt", "neither.txt"]


# -- the folder of the model ---------------------------------------------------------------------


def test_a_folder_with_another_model(program, lm, tmp_path, texts, model):
    before = {file: file.read_bytes() for file in model.rglob("*") if file.is_file()}
    line = one_line(program(*lm("--min-count", "2", "--hidden", "7", "--dropout", ".5", out=model)))
    assert "holds another model (" in line
    assert "hidden '6' -> '7'" in line
    assert "dropout 0.0 -> 0.5" in line
    longer = write(tmp_path / "train.txt", (texts / "train.txt").read_bytes() * 2)
    arguments = lm("--min-count", "2", out=model)
    arguments[3] = longer
    assert "texts train.txt (" in one_line(program(*arguments))
    assert before == {file: file.read_bytes() for file in model.rglob("*") if file.is_file()}
    assert program(*lm("--min-count", "2", "--epochs", "2", "-q", out=model)).status == 0


def test_a_folder_with_something_else(program, lm, tmp_path):
    (tmp_path / "model").mkdir()
    letter = write(tmp_path / "model" / "letter.txt", b"dear")
    assert "is not empty and holds no model" in one_line(program(*lm()))
    assert "is a file" in one_line(program(*lm(out=letter)))
    assert [file.name for file in (tmp_path / "model").iterdir()] == ["letter.txt"]
    assert letter.read_bytes() == b"dear"


def test_a_folder_inside_a_file_cannot_be_made(program, lm, tmp_path):
    write(tmp_path / "file", b"x")
    assert "not a directory" in one_line(program(*lm(out=tmp_path / "file" / "model")))
    line = one_line(program("quickstart", "--out", tmp_path / "file", "--epochs", 1, "-q"))
    assert "not a directory" in line


def test_a_folder_that_may_not_be_read(program, lm, model, monkeypatch):
    """As the system refuses it to a user who is not root."""

    def refused(path, *rest):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)
    assert "model.json: cannot be read" in one_line(program("generate", model))
    monkeypatch.setattr("pathlib.Path.is_file", refused)
    assert "Permission denied" in one_line(program("generate", model))


def test_the_rate_of_a_run_that_diverged_can_be_lowered(program, lm, tmp_path):
    line = one_line(program(*lm("--lr", "1e38", "--optimiser", "sgd", "--clip-norm", "0")))
    assert "Try a lower lr" in line
    answer = program(*lm("--lr", "0.1", "--optimiser", "sgd", "--clip-norm", "0"))
    assert answer.status == 0
    line = one_line(program(*lm("--lr", "0.2", "--optimiser", "sgd", "--clip-norm", "0")))
    assert "lr 0.1 -> 0.2" in line, "a finished run has its rate"


def test_a_precision_that_the_processor_lacks(program, lm, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    line = one_line(program(*lm("--precision", "bfloat16", "--out", tmp_path / "new")))
    assert "needs a processor that multiplies in bfloat16" in line
    assert not (tmp_path / "new").exists()


# -- a model that cannot be read -----------------------------------------------------------------


def _truncated(file):
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def _flipped(file):
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(bytes(data))


def _replaced(old, new):
    def damage(file):
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return damage


DAMAGES = {
    "no weights": ("weights.safetensors", os.remove, "Run the same train command again"),
    "weights cut": ("weights.safetensors", _truncated, "weights.safetensors: cannot be read"),
    "weights bent": ("weights.safetensors", _flipped, "weights.safetensors: is damaged"),
    "no tokeniser": ("tokenizer.json", os.remove, "tokenizer.json: expected a tokeniser's file"),
    "tokeniser cut": ("tokenizer.json", _truncated, "tokenizer.json: expected a tokeniser's file"),
    "tokeniser of other words": (
        "tokenizer.json",
        lambda file: Tokeniser.from_lines(["too few"]).save(file),
        "tokens of model.json, got 4",
    ),
    "description cut": ("model.json", _truncated, "model.json: cannot be read as a model's"),
    "another version": ("model.json", _replaced('"format": 1', '"format": 9'), "got format 9"),
    "another kind": ("model.json", _replaced('"language"', '"tagger"'), "kind 'tagger'"),
    "no kind": ("model.json", _replaced('"kind"', '"sort"'), "it has no 'kind'"),
    "a list": (
        "model.json",
        _replaced(
            "{",
            "[{",
        ),
        "model.json: cannot be read",
    ),
    "other sizes": ("model.json", _replaced("6\n    ]", "5\n    ]"), "does not fit model.json"),
    "no sizes": ("model.json", _replaced('"hidden_size"', '"size"'), "describes no model"),
    "other equations": ("model.json", _replaced("sigmoid", "sigmod"), "describes no model"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model(program, model, damage):
    name, spoil, said = DAMAGES[damage]
    spoil(model / name)
    assert said in one_line(program("generate", model))


@pytest.mark.parametrize("verb", [["evaluate", "--test", "x"], ["generate"], ["score"]])
def test_every_verb_that_reads_a_model_says_when_there_is_none(program, tmp_path, verb):
    assert "it has no model.json" in one_line(program(*verb, tmp_path))


def test_a_model_whose_training_has_not_begun(program, lm, tmp_path):
    one_line(program(*lm("--batch-size", "100000")))
    assert "training has not ended" in one_line(program("generate", tmp_path / "model"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "--top-p", "0"], "top_p in (0, 1]"),
        (["generate", "--temperature", "-1"], "expected temperature 0 or from 0.0001"),
        (["generate", "--temperature", "1e-300"], "expected temperature 0 or from 0.0001"),
        (["generate", "--temperature", "nan"], "got temperature=nan"),
        (["generate", "--top-k", "-1"], "top_k >= 0"),
        (["generate", "--tokens", "0"], "Invalid value for '--tokens'"),
        (["evaluate", "--test", "no.txt"], "no.txt: no such file."),
        (["evaluate", "--test", "x", "--cache", "5", "--cache-weight", "2"], "weight in [0, 1)"),
        (["evaluate", "--test", "x", "--dynamic", "-1"], "expected rate >= 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option(program, trained, arguments, said):
    assert said in one_line(program(arguments[0], trained, *arguments[1:]))


def test_cache_and_dynamic_evaluation_need_running_text(program, trained, texts):
    adapting = ["--test", texts / "test.txt", "--sentences", "--cache", "5"]
    assert "need running text" in one_line(program("evaluate", trained, *adapting))


def test_evaluate_a_text_of_unknown_words(program, trained, tmp_path):
    bad = write(tmp_path / "french.txt", b"rien ne va plus\n")
    assert f"{bad}: expected tokens" in one_line(program("evaluate", trained, "--test", bad))


def test_score_names_the_line_that_is_not_utf8(program, trained):
    answer = program("score", trained, stdin=b"the cat\na \xff\n")
    assert answer.status == 2
    assert answer.err.startswith("penstock: stdin:2: expected UTF-8")


def test_a_prompt_that_is_not_utf8(program, trained):
    """An argument's stray byte reaches Python as half a surrogate pair."""
    answer = program("generate", trained, "--prompt", "the \udcff", "--tokens", 2)
    assert answer.status == 0
    assert answer.out.startswith("the ?")


# -- cells and recipes in files ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no equations"),
        ("h = tanh(W @ x + U @ h[t-1]", "line 1, column 9"),
        ("a = 1\nh = tahn(W @ x) + a * h[t-1]", "line 2, column 5: unknown function 'tahn'"),
    ],
)
def test_equations_that_are_wrong(program, lm, tmp_path, text, said):
    file = tmp_path / "my_cell.txt"
    file.write_text(text)
    answer = program(*lm("--cell-file", file))
    assert answer.status == 2
    first, *picture = answer.err.splitlines()
    assert first.startswith(f"penstock: {file}: ")
    assert said in first or not text
    assert not picture or picture[-1].strip() == "^"


def test_a_file_of_equations_that_cannot_be_read(program, lm, tmp_path):
    missing = tmp_path / "no.txt"
    assert f"{missing}: no such file" in one_line(program(*lm("--cell-file", missing)))
    assert "a folder" in one_line(program(*lm("--cell-file", tmp_path)))
    bad = write(tmp_path / "bad.txt", b"# fine\nh = \xff\n")
    assert f"{bad}:2: expected UTF-8" in one_line(program(*lm("--cell-file", bad)))
    both = one_line(program(*lm("--cell-file", bad, "--cell", "gru")))
    assert "expected --cell or --cell-file, got both" in both


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hiden = 3", "unknown setting 'hiden'. Did you mean 'hidden'?"),
        ("layers = 'two'", "expected layers as int, got layers='two'"),
        ("tied = 1", "expected tied as bool, got tied=1"),
        ("cell = true", "expected cell as str, got cell=True"),
        ("layers = ", "cannot be read as a recipe"),
        ("[texts]\ntrian = 'x'", "unknown text 'trian'. Did you mean 'train'?"),
        ("[texts]\ntrain = 3", "expected [texts] with the name of a file"),
        ("texts = 3", "expected [texts] with the name of a file"),
        ("[texts]\ntest = 'nowhere.txt'", "nowhere.txt: does not exist, here or in "),
    ],
)
def test_a_recipe_that_is_wrong(program, lm, tmp_path, text, said):
    (tmp_path / "my.toml").write_text(text)
    line = one_line(program(*lm("--recipe", tmp_path / "my.toml")))
    assert said in line


def test_a_recipe_that_is_missing(program, lm, tmp_path):
    line = one_line(program(*lm("--recipe", tmp_path / "no.toml")))
    assert "no.toml: cannot be read (No such file or directory)" in line
    shutil.rmtree(tmp_path / "model", ignore_errors=True)


def test_results_are_json_even_where_a_number_is_not_finite(program, lm, tmp_path, monkeypatch):
    monkeypatch.setattr("penstock.metrics.perplexity.math.exp", lambda x: float("inf"))
    (answer,) = program(*lm("--json", "-q")).objects
    assert answer["results"]["valid"]["perplexity"] is None
    kept = json.loads((tmp_path / "model" / "results.json").read_text())
    assert kept["results"]["valid"]["perplexity"] is None
