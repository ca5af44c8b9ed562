"""The verbs on n-gram models, alone and mixed with a network."""

from __future__ import annotations

import gzip
import math
import re
from dataclasses import fields

import numpy as np
import pytest
import torch

from penstock.cli import evaluate
from penstock.cli.ngram import NGramSettings
from penstock.counting import SMOOTHINGS, NGramModel
from penstock.scoring.counted import spelt, tokeniser_file
from penstock.scoring.scorer import open_model
from penstock.text import Prepared, SentenceTokeniser
from penstock.text.preparation import Preparation
from tests.cli.conftest import one_line
from tests.docs.documents import ROOT, rows, section


@pytest.fixture
def ngram(program, texts, tmp_path):
    """``ngram(option, ..., name="m.arpa")`` trains one on the tiny text."""

    def train(*options, name="m.arpa"):
        arguments = ("--quiet", "--smoothing", "witten-bell", *options)
        answer = program("train", "ngram", texts / "train.txt", "-o", tmp_path / name, *arguments)
        assert answer.status == 0, answer.err
        return tmp_path / name

    return train


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dynamic", "0.5"], "no --dynamic: n-grams have no state"),
        (["--cache", "5", "--theta", "9"], "no --theta: n-grams have no state"),
        (["--cache-weight", "0.3"], "no --cache-weight: there is no --cache N"),
        (["--dynamic-decay", "0.3"], "no --dynamic-decay: there is no --dynamic X"),
        (["--beam", "7", "--bleu", "bleu"], "m.arpa is no translator"),
        (["--mix", "em"], "no --mix: there is one model"),
        (["--valid", "x"], "no --valid: there is one model"),
    ],
    ids=str,
)
def test_options_without_effect(program, ngram, texts, options, said):
    said_of = one_line(program("evaluate", ngram(), "--test", texts / "test.txt", *options))
    assert said in said_of


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--smoothing", "witten-bell", "--delta", "1.0"], "no --delta: only --smoothing add-del"),
        (["--smoothing", "witten-bell", "--katz-k", "5"], "no --katz-k: only --smoothing katz has"),
        (["--smoothing", "stupid-backoff", "--entropy", "1e-7"], "expected a model of probabil"),
        (["-o", "folder.arpa"], "folder.arpa: expected the name of a file, got a folder."),
    ],
    ids=str,
)
def test_what_no_such_model_has(program, tmp_path, monkeypatch, options, said):
    """It is told before the text is looked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.arpa").mkdir()
    answer = program("train", "ngram", "none.txt", "-o", "m.arpa", *options)
    assert said in one_line(answer)
    assert not (tmp_path / "m.arpa").exists()


def never(*arguments, **options):
    """Stands for long work before which a mistake is to be told."""
    raise AssertionError("a mistake is told too late")


@pytest.mark.parametrize("mix", ["em", "log-linear"])
@pytest.mark.parametrize("wrong", ["--valid", "--test"])
def test_missing_texts_are_told_before_weights_are_fitted(
    program, ngram, texts, monkeypatch, mix, wrong
):
    path = ngram()
    for module in (evaluate, evaluate.log_linear):
        monkeypatch.setattr(module, "measure", never)
    monkeypatch.setattr(evaluate.log_linear, "fit", never)
    files = {"--valid": texts / "valid.txt", "--test": texts / "test.txt"} | {wrong: "none.txt"}
    options = [word for pair in files.items() for word in pair]
    line = one_line(program("evaluate", path, path, "--mix", mix, *options))
    assert "none.txt: no such file." in line


@pytest.mark.parametrize("how", [(), ("--greedy",)], ids=str)
def test_where_only_an_unknown_word_can_follow(program, ngram, tmp_path, how):
    (tmp_path / "t.txt").write_text("the <unk> sat\na cat\n")
    out = tmp_path / "t.arpa"
    options = ("--order", "3", "--smoothing", "maximum-likelihood", "-q")
    assert program("train", "ngram", tmp_path / "t.txt", "-o", out, *options).status == 0
    answer = program("generate", out, "--prompt", "the", "--tokens", "3", *how)
    assert (answer.status, answer.out) == (2, "the\n")
    assert answer.err == (
        "penstock: generate: expected a token that can follow, got none but forbidden ones such as "
        "<unk>. Allow it with --unknown, or take a smoothed model.\n"
    )
    answer = program("generate", out, "--prompt", "the", "--tokens", "2", "--unknown", *how)
    assert (answer.status, answer.out) == (0, "the <unk> sat\n")


def test_a_log_probability_above_zero_is_told_in_one_line(program, ngram, texts):
    path = ngram("--order", "2")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.endswith(" </s>\n")]
    for place in places:
        lines[place] = re.sub(r"^\S+", "0.25", lines[place])
    path.write_text("".join(lines), encoding="utf-8")
    answer = program("score", path, stdin=b"the cat\n")
    assert answer.status == 0
    assert answer.err == (
        f"penstock: {path}:{places[0] + 1}: log probabilities above 0 are read as 0.\n"
    )


def test_numbers_beyond_all_measure(program, ngram, texts):
    path = ngram("--smoothing", "katz", "--katz-k", str(10**10), "--order", "2")
    answer = program("evaluate", path, "--test", texts / "test.txt", "--cache", str(10**20))
    assert "Invalid value for '--cache'" in answer.err


def test_the_order_of_each_token_is_told(program, ngram):
    lines = program("score", ngram("--order", "2"), "--tokens", stdin=b"the cat\n").out.splitlines()
    assert [line.split("\t")[1] for line in lines[1:]] == ["the", "cat", "<eos>"]
    assert all(line.split("\t")[2] in ("1", "2") for line in lines[1:])


def test_scores_that_are_no_probabilities_are_told_in_comparisons(program, ngram, texts):
    other = ngram("--smoothing", "stupid-backoff", name="s.ngram")
    answer = program("compare", ngram(), other, "--test", texts / "test.txt", "-q")
    assert "s.ngram: These are no probabilities" in answer.err


@pytest.mark.parametrize("options", [(), ("--tokens", "character")])
def test_a_file_is_converted_with_its_tokeniser(program, ngram, texts, tmp_path, options):
    first, second, third = ngram(*options), tmp_path / "m.ngram", tmp_path / "again.arpa.gz"
    for old, new in ((first, second), (second, third)):
        assert program("convert", old, new, "-q").out == f"model in {new}\n"
    costs = [program("evaluate", file, "--test", texts / "test.txt").out for file in (first, third)]
    assert costs[0] == costs[1]


def test_what_cannot_be_converted(program, ngram, tmp_path):
    path = ngram()
    assert "ends in .arpa, .arpa.gz or .ngram" in one_line(program("convert", path, tmp_path / "x"))
    assert "expected another file" in one_line(program("convert", path, path))
    missing = program("convert", tmp_path / "no.arpa", tmp_path / "x.arpa")
    assert "no.arpa: no such file" in one_line(missing)


def test_options_of_translators(program, ngram, texts):
    answer = program("compare", ngram(), "--test", texts / "test.txt", "--beams", "5")
    assert "expected no --beams: language models are compared on --test" in one_line(answer)


@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz", "m.ngram"])
def test_train_and_evaluate(program, ngram, texts, name):
    path = ngram("--order", "3", name=name)
    answer = program("evaluate", path, "--test", texts / "test.txt", "--json")
    assert answer.status == 0, answer.err
    (found,) = answer.objects
    lines = (texts / "test.txt").read_text(encoding="utf-8").splitlines()
    model = NGramModel.load(path)
    nats = -math.log(10) * sum(model.score(line) for line in lines)
    assert found["nats"] == pytest.approx(nats)
    assert found["tokens"] == sum(len(line.split()) + 1 for line in lines)
    assert found["context"] == "2 words of the sentence"
    shown = program("evaluate", path, "--test", texts / "test.txt").out
    assert f"perplexity          {found['perplexity']:.2f}\n" in shown
    assert found["signature"] in shown


def test_train_says_what_it_made(program, texts, tmp_path):
    out = tmp_path / "m.arpa"
    options = ("--order", "2", "--smoothing", "kneser-ney", "--prune", "0,1", "--entropy", "1e-9")
    (found,) = program("train", "ngram", texts / "train.txt", "-o", out, *options, "--json").objects
    model = NGramModel.load(out)
    assert found == {"file": str(out), "ngrams": model.sizes, "words": len(model.vocabulary)}
    again = program("train", "ngram", texts / "train.txt", "-o", out, *options)
    assert again.out == (f"1-grams  {model.sizes[0]}\n2-grams  {model.sizes[1]}\nmodel in {out}\n")


def test_a_fallback_is_told(program, texts, tmp_path):
    answer = program("train", "ngram", texts / "train.txt", "-o", tmp_path / "m.arpa")
    assert answer.status == 0
    assert "penstock: modified-kneser-ney: order 1: no n-gram occurs 1" in answer.err


def test_vocabulary_from_a_list(program, ngram, tmp_path):
    (tmp_path / "words.txt").write_text("the\ncat\n<unk>\ndog cat\n")
    path = ngram("--vocab", tmp_path / "words.txt")
    assert NGramModel.load(path).vocabulary.words == ["</s>", "<unk>", "the", "cat", "dog", "<s>"]
    (tmp_path / "words.txt").write_text("\n\n")
    arguments = ("--vocab", tmp_path / "words.txt")
    answer = program("train", "ngram", tmp_path / "words.txt", "-o", path, *arguments)
    assert "words.txt: expected words, one on each line, got none." in one_line(answer)


def test_vocabulary_by_frequency(ngram):
    assert len(NGramModel.load(ngram("--vocab-size", "6")).vocabulary) == 6
    whole = len(NGramModel.load(ngram()).vocabulary)
    assert len(NGramModel.load(ngram("--min-count", "20")).vocabulary) < whole


def test_score(program, ngram):
    path = ngram()
    stdin = b"the cat\n\nthe zebra\n"
    rows = program("score", path, "--json", "--tokens", stdin=stdin).objects
    model = NGramModel.load(path)
    assert [row["line"] for row in rows] == ["the cat", "", "the zebra"]
    for row in rows:
        assert row["log_p"] == pytest.approx(model.score(row["line"]) * math.log(10))
    assert [name for name, _ in rows[2]["by_token"]] == ["the", "<unk>", "<eos>"]
    plain = program("score", path, stdin=stdin).out
    assert plain.splitlines()[0] == f"{rows[0]['log_p']:.4f}\t3\tthe cat"


def test_generate(program, ngram, texts):
    path = ngram("--order", "2")
    options = ("--tokens", "30", "--seed", "4", "--prompt", "the cat")
    answer = program("generate", path, *options)
    assert answer.status == 0, answer.err
    assert answer.out.startswith("the cat")
    assert program("generate", path, *options).out == answer.out
    words = set((texts / "train.txt").read_text(encoding="utf-8").split())
    assert set(answer.out.split()) <= words
    greedy = program("generate", path, "--greedy", "--tokens", "1", "--json").objects
    best = next(w for w, _ in NGramModel.load(path).next_words(k=2) if w != "<unk>")
    assert greedy[0]["text"].strip() == best.replace("</s>", "")


def test_stupid_backoff_is_called_no_probability(program, ngram, texts):
    path = ngram("--smoothing", "stupid-backoff")
    out = program("evaluate", path, "--test", texts / "test.txt").out
    assert re.search(r"^These are no probabilities: after some words they sum to \d", out, re.M)


# -- mixing --------------------------------------------------------------------------------------


@pytest.fixture
def same_words(ngram):
    """n-grams over the words of the trained network."""
    return ngram("--min-count", "2", name="same.arpa")


def costs(program, *arguments):
    answer = program("evaluate", *arguments, "--json")
    assert answer.status == 0, answer.err
    return answer.objects[0]


def test_mixing_with_a_network(program, same_words, trained, texts):
    files = ("--valid", texts / "valid.txt", "--test", texts / "valid.txt")
    alone = [costs(program, path, *files[2:])["nats"] for path in (same_words, trained)]
    mixed = costs(program, same_words, trained, "--mix", "em", *files)
    assert [name for name, _ in mixed["weights"]] == [str(same_words), str(trained)]
    assert sum(weight for _, weight in mixed["weights"]) == pytest.approx(1)
    assert mixed["nats"] <= min(alone) + 1e-6
    equal = costs(program, same_words, trained, "--mix", "equal", *files[2:])
    assert [weight for _, weight in equal["weights"]] == [0.5, 0.5]
    assert mixed["nats"] <= equal["nats"]
    assert mixed["context"] == "4 words of the sentence | text"
    shown = program("evaluate", trained, same_words, "--mix", "equal", *files[2:]).out
    assert shown.startswith(f"weight              0.5000  {trained}\n")


def test_log_linear_mixing(program, same_words, trained, texts):
    """As two models side by side say, and better on the held-out text than equal shares."""
    files = ("--valid", texts / "test.txt", "--test", texts / "test.txt")
    for models in ((same_words, trained), (trained, same_words)):
        mixed = costs(program, *models, "--mix", "log-linear", *files)
        weights = [weight for _, weight in mixed["weights"]]
        assert [name for name, _ in mixed["weights"]] == [str(path) for path in models]
        opened = [open_model(path) for path in models]
        assert mixed["nats"] == pytest.approx(_log_linear_nats(opened, weights, texts), rel=1e-4)
        assert mixed["nats"] < _log_linear_nats(opened, [0.5, 0.5], texts)
        alone = costs(program, *models, "--mix", "log-linear", *files, "--sentences")
        weights = [weight for _, weight in alone["weights"]]
        expected = _log_linear_nats(opened, weights, texts, alone=True)
        assert alone["nats"] == pytest.approx(expected, rel=1e-4)
        assert expected != pytest.approx(_log_linear_nats(opened, weights, texts), rel=1e-4)
        assert alone["context"] != mixed["context"]


def _log_linear_nats(opened, weights, texts, *, alone=False):
    """What the text costs when two models step through it side by side, or each line of it."""
    first, second = opened
    order = [second.tokeniser.tokens.index(token) for token in first.tokeniser.tokens]
    lines = (texts / "test.txt").read_text(encoding="utf-8").splitlines()
    ids = [id for line in lines for id in [*first.tokeniser.encode(line), first.tokeniser.eos_id]]
    models = [model.symbols() for model in opened]
    states, nats, last = [model.start(1) for model in models], 0.0, first.tokeniser.eos_id
    for id in ids:
        inputs = [torch.tensor([last]), torch.tensor([order[last]])]
        log_ps = []
        for k, (model, x) in enumerate(zip(models, inputs, strict=True)):
            with torch.no_grad():
                log_p, states[k] = model.step(x, states[k])
            log_ps.append(log_p[0])
        scores = weights[0] * log_ps[0] + weights[1] * log_ps[1][order]
        nats -= torch.log_softmax(scores.double(), -1)[id].item()
        last = id
        if alone and id == first.tokeniser.eos_id:
            states = [model.start(1) for model in models]
    return nats


@pytest.mark.parametrize("weights", ["", "0.25,0.75", "3,9", "0,1"])
def test_a_mixture_scores_lines_and_writes(program, same_words, trained, texts, weights):
    """What it gives a line is the weighted sum of probabilities, token by token."""
    stdin = (texts / "test.txt").read_bytes()
    options = ("--weights", weights) if weights else ()
    shares = {"": (0.5, 0.5), "0,1": (0.0, 1.0)}.get(weights, (0.25, 0.75))

    def lines(*models, more=()):
        return program("score", *models, "--tokens", "--json", *more, stdin=stdin).objects

    mixed = lines(same_words, trained, more=options)
    for line, one, other in zip(mixed, lines(same_words), lines(trained), strict=True):
        assert [token for token, _ in line["by_token"]] == [token for token, _ in one["by_token"]]
        p, q, r = (np.exp([log_p for _, log_p in each["by_token"]]) for each in (line, one, other))
        np.testing.assert_allclose(p, shares[0] * q + shares[1] * r, rtol=1e-5)
        assert "orders" not in line
    written = program("generate", same_words, trained, "--tokens", 20, *options).out
    assert len(written.split()) > 3
    if weights == "0,1":
        (alone,) = program("generate", trained, "--greedy", "--tokens", 9, "--json").objects
        (both,) = program(
            *("generate", trained, same_words, "--weights", "1,0"),
            *("--greedy", "--tokens", 9, "--json"),
        ).objects
        assert both == alone


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("1", "weights: expected 2 numbers, got '1'"),
        ("a,b", "weights: expected 2 numbers, got 'a,b'"),
        ("0,0", "weights: expected numbers from 0, one of them above"),
        ("-1,2", "weights: expected numbers from 0"),
        ("nan,2", "weights: expected numbers from 0"),
    ],
)
def test_weights_that_cannot_be(program, same_words, trained, weights, said):
    for verb in ("score", "generate"):
        assert said in one_line(program(verb, same_words, trained, f"--weights={weights}"))


def test_log_linear_mixing_does_not_adapt(program, same_words, trained, texts):
    files = ("--valid", texts / "valid.txt", "--test", texts / "test.txt", "--cache", 5)
    answer = program("evaluate", same_words, trained, "--mix", "log-linear", "-q", *files)
    assert "expected --mix em or equal with a cache" in one_line(answer)


def test_mixing_a_model_with_itself_changes_nothing(program, same_words, trained, texts):
    for path in (same_words, trained):
        options = ("--test", texts / "test.txt", "--sentences")
        alone = costs(program, path, *options)
        twice = costs(program, path, path, "--mix", "equal", *options)
        assert twice["nats"] == pytest.approx(alone["nats"], rel=1e-6)
        assert twice["context"] == alone["context"]


def test_mixing_with_caches(program, same_words, trained, texts):
    options = ("--test", texts / "test.txt", "--cache", "20", "--cache-weight", "0.2")
    for models in ((same_words,), (same_words, trained, "--mix", "equal")):
        found = costs(program, *models, *options)
        assert found["context"].startswith(
            "4 words of the sentence, cache of words (size=20, weight=0.2)"
        )


def test_models_of_other_words_are_not_mixed(program, ngram, trained, texts):
    few = ngram("--vocab-size", "7")
    options = ("--mix", "equal", "--test", texts / "test.txt")
    line = one_line(program("evaluate", trained, few, *options))
    assert f"{few}: expected the " in line
    assert "Train them with the same vocabulary to mix them." in line


def test_models_of_other_tokens_are_not_mixed(program, ngram, lm, texts, tmp_path):
    words = ngram()
    options = ("--mix", "equal", "--test", texts / "test.txt")
    assert program(*lm("--tokens", "character", "--quiet")).status == 0
    line = one_line(program("evaluate", words, tmp_path / "model", *options))
    assert f"expected word tokens as in {words}, got character tokens." in line


def test_models_that_cut_a_text_in_other_ways_are_not_mixed(program, ngram, texts):
    """The same words, one model's found as a translator makes its lines ready."""
    first, second = ngram(), ngram(name="second.arpa")
    tokeniser = open_model(first).tokeniser
    ready = Prepared(SentenceTokeniser(tokeniser, Preparation()))
    assert set(ready.tokens) == set(tokeniser.tokens)
    ready.save(tokeniser_file(second))
    said = f"{second}: expected text cut into tokens as {first} cuts it, got another way"
    test = ("--test", texts / "test.txt")
    for verb, options in (("score", ()), ("generate", ()), ("evaluate", ("--mix", "equal", *test))):
        assert said in one_line(program(verb, first, second, *options))


# -- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--order", "0"], "expected order from 1 to 16, got order=0"),
        (["--order", "40"], "expected order from 1 to 16, got order=40"),
        (["--smoothing", "kneser"], "unknown smoothing 'kneser'. Did you mean 'kneser-ney'?"),
        (["--smoothing", "katz", "--style", "interpolated"], "expected style 'backed-off'"),
        (["--prune", "1,2"], "expected prune as 0 and then"),
        (["--prune", "x"], "expected prune as numbers such as 0,0,1, got prune='x'"),
        (["--entropy", "-1"], "entropy of 0 or more"),
        (["--memory", "0"], "expected memory of 1 MB at least"),
        (["--smoothing", "add-delta", "--delta", "0"], "expected delta above 0"),
        (["--smoothing", "katz", "--katz-k", "0"], "expected k of 1 at least"),
        (["-o", "model.txt"], "model.txt: expected a name that ends in .arpa, .arpa.gz or .ngram"),
        (["--vocab-size", "1"], "expected vocab_size of 3 at least"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_writes_nothing(program, texts, tmp_path, options, said):
    out = tmp_path / "out" / "m.arpa"
    answer = program("train", "ngram", texts / "train.txt", "-o", out, *options)
    assert said in one_line(answer)
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n\n", "the text is empty: not one token in it"),
        (b"a\na <s> b\n", "t.txt:2: expected no <s>, which an n-gram model puts"),
        (b"a </s> b\n", "t.txt:1: expected no </s>"),
        (b"a \xff\n", ":1: expected UTF-8, got byte 0xff"),
    ],
    ids=repr,
)
def test_a_text_that_cannot_be_counted(program, tmp_path, text, said):
    (tmp_path / "t.txt").write_bytes(text)
    answer = program("train", "ngram", tmp_path / "t.txt", "-o", tmp_path / "m.arpa")
    assert said in one_line(answer)


def test_marks_of_sentences_are_refused_whatever_the_vocabulary(program, ngram, texts, tmp_path):
    marked, words = tmp_path / "marked.txt", tmp_path / "words.txt"
    marked.write_text("a b\n<s> a b </s>\n")
    words.write_text("a\nb\n")
    out = ("-o", tmp_path / "m.arpa")
    for answer in (
        program("train", "ngram", marked, "--vocab", words, *out),
        program("train", "ngram", marked, "--min-count", 2, *out),
        program("evaluate", ngram(), "--test", marked),
        program("compare", ngram(), ngram("--order", 2), "--test", marked),
    ):
        assert "marked.txt:2: expected no </s>" in one_line(answer)


def test_odd_texts_are_counted(program, tmp_path):
    """NUL bytes, one word, a line of many words, a line without its end, blank lines."""
    for text in (b"a\0b a\0b\n", b"a a a a\n" * 5, b"a b " * 50_000 + b"\n", b"a b", b"\n\na\n\n"):
        (tmp_path / "t.txt").write_bytes(text)
        out = tmp_path / "m.arpa"
        assert program("train", "ngram", tmp_path / "t.txt", "-o", out, "-q").status == 0
        found = costs(program, out, "--test", tmp_path / "t.txt")
        assert 0 <= found["nats"] < math.inf


def test_files_that_are_no_models(program, ngram, texts, tmp_path):
    path = ngram()
    cut = tmp_path / "cut.arpa.gz"
    cut.write_bytes(gzip.compress(path.read_bytes())[:-20])
    (tmp_path / "other.ngram").write_bytes(b"penstock n-gram 9\n...")
    test = ("--test", texts / "test.txt")
    for name, said in (
        ("cut.arpa.gz", "damaged or cut short"),
        ("other.ngram", "expected version 1 of the format, got '9'"),
        ("n.arpa", "no such file. Did you mean 'm.arpa'?"),
    ):
        assert said in one_line(program("evaluate", tmp_path / name, *test))
        assert said in one_line(program("score", tmp_path / name))
        assert said in one_line(program("generate", tmp_path / name))
    assert "expected \\data\\" in one_line(program("evaluate", texts / "test.txt", *test))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "expected --mix em, equal or log-linear for 2 models. To see them side by side, use "),
        (["--mix", "en"], "unknown mix 'en'. Known: em, equal, log-linear."),
        (["--mix", "em"], "expected --valid FILE"),
        (["--mix", "log-linear"], "expected --valid FILE"),
        (["--mix", "equal", "--valid", "x"], "no --valid: --mix equal fits no weights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mixing_that_cannot_be(program, ngram, texts, options, said):
    path = ngram()
    answer = program("evaluate", path, path, "--test", texts / "test.txt", *options)
    assert said in one_line(answer)


def test_every_option_is_explained_with_its_default():
    page = section(ROOT / "docs" / "ngram.md", "Options")
    table = {cells[0].strip("`"): cells[1] for cells in rows(page) if cells[0].startswith("`--")}
    settings = {"--" + f.name.replace("_", "-"): str(f.default) for f in fields(NGramSettings)}
    assert table == settings | {"--style": "the method's own"}


def test_every_method_is_explained():
    page = section(ROOT / "docs" / "ngram.md", "Smoothing")
    assert {cells[0].strip("`") for cells in rows(page)} - {"--smoothing"} == set(SMOOTHINGS)


# -- other tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["character", "byte", "bpe", "unigram"])
@pytest.mark.parametrize("name", ["m.arpa", "m.ngram"])
def test_other_tokens(program, ngram, texts, kind, name):
    """What a text costs is what the model says of its tokens as words."""
    size = ("--vocab-size", "300") if kind in ("bpe", "unigram") else ()
    path = ngram("--tokens", kind, "--order", "3", *size, name=name)
    opened = open_model(path)
    assert opened.tokeniser.kind == kind
    text = (texts / "test.txt").read_text(encoding="utf-8")
    words = np.array(spelt(opened.tokeniser))[opened.tokeniser.encode_text(text)]
    lines = " ".join(words).split("</s>")[:-1]
    nats = -math.log(10) * sum(NGramModel.load(path).score(line) for line in lines)
    found = costs(program, path, "--test", texts / "test.txt")
    assert found["nats"] == pytest.approx(nats, rel=1e-5)
    assert found["bits_per_character"] == pytest.approx(nats / math.log(2) / len(text), rel=1e-5)
    tokens = {"character": "characters", "byte": "bytes"}.get(kind, "tokens")
    assert found["context"] == f"2 {tokens} of the line"
    assert len(program("generate", path, "--tokens", "30", "--seed", "2").out) > 20
    line = text.splitlines()[0]
    (scored,) = program("score", path, "--json", stdin=line.encode()).objects
    assert scored["log_p"] == pytest.approx(math.log(10) * NGramModel.load(path).score(lines[0]))


def test_mixing_bytes_with_a_network(program, ngram, lm, texts, tmp_path):
    network = tmp_path / "model"
    assert program(*lm("--tokens", "byte")).status == 0
    path = ngram("--tokens", "byte", "--order", "3")
    files = ("--valid", texts / "valid.txt", "--test", texts / "valid.txt")
    alone = costs(program, path, "--test", texts / "valid.txt")["nats"]
    for how in ("em", "log-linear"):
        assert costs(program, path, network, "--mix", how, *files)["nats"] < 1.001 * alone


def test_the_tokeniser_beside_a_model(program, ngram, texts):
    path = ngram("--tokens", "character", "--order", "2")
    beside = path.with_name("m.arpa.tokenizer.json")
    other = ngram("--tokens", "byte", "--order", "2", name="other.arpa")
    beside.write_bytes(other.with_name("other.arpa.tokenizer.json").read_bytes())
    line = one_line(program("evaluate", path, "-q", "--test", texts / "test.txt"))
    assert "m.arpa.tokenizer.json: expected the tokens of m.arpa, which has no" in line
    assert ngram("--order", "2") == path
    assert not beside.exists()


def test_a_list_of_words_is_of_words(program, texts, tmp_path):
    options = ("--tokens", "byte", "--vocab", texts / "test.txt")
    answer = program("train", "ngram", texts / "train.txt", "-o", tmp_path / "m.arpa", *options)
    assert "with tokens=word, got tokens='byte'" in one_line(answer)


def test_words_that_are_shown_alike(program, tmp_path):
    entries = b"-1\t<unk>\n-1\t<s>\n-1\t</s>\n-1\t\xff\n-1\t\\xff\n"
    path = tmp_path / "alike.arpa"
    path.write_bytes(b"\\data\\\nngram 1=5\n\n\\1-grams:\n" + entries + b"\n\\end\\\n")
    assert "alike.arpa: expected words that differ" in one_line(program("score", path))
