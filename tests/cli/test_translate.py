"""Translators by command: train, translate, score, evaluate, and what is said of mistakes."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from penstock.cli.main import main
from penstock.cli.search_options import SearchOptions
from penstock.search import Beam, Entry
from penstock.translation.system import TOKENISERS
from tests.cli.conftest import one_line

OPTIONS = ("--tokens", "word", "--pretokenise", "none", "--no-joint", "--vocab-size", "0")
SMALL = (*OPTIONS, "--hidden", "6", "--embedding", "5", "--epochs", "1", "--lr", "0.02")


def files(pairs, part, prefix):
    return (f"--{prefix}src", pairs / f"{part}.src", f"--{prefix}tgt", pairs / f"{part}.tgt")


def arguments(pairs, out, *more):
    both = (*files(pairs, "train", ""), *files(pairs, "valid", "valid-"))
    return ["train", "translate", *both, "--out", out, *SMALL, *more]


def train(pairs, folder, *more):
    with pytest.raises(SystemExit) as left:
        main([str(part) for part in arguments(pairs, folder, "-q", *more)])
    assert left.value.code == 0
    return folder


@pytest.fixture(scope="session")
def translator(pairs, tmp_path_factory):
    """A folder with a small translator; not to be written to."""
    return train(pairs, tmp_path_factory.mktemp("translator") / "model", "--epochs", 8)


@pytest.fixture
def copy(translator, tmp_path):
    return Path(shutil.copytree(translator, tmp_path / "copy"))


# -- train -----------------------------------------------------------------------------------------


def test_training_says_what_came_of_it(program, pairs, tmp_path):
    out = tmp_path / "model"
    answer = program(*arguments(pairs, out, *files(pairs, "test", "test-")))
    assert answer.status == 0, answer
    assert "valid BLEU|nrefs:1" in answer.out
    assert "test TER|" in answer.out
    assert answer.out.endswith(f"model in {out}\n")
    assert "train: kept 40 of 40 pairs" in answer.err or "left out" in answer.err
    again = program(*arguments(pairs, out, "--json", "-q"))
    (found,) = again.objects
    assert found["folder"] == str(out)
    assert set(found["results"]) == {"valid"}
    assert {"BLEU", "chrF2", "TER", "perplexity"} == set(found["results"]["valid"])


def test_pairs_from_a_table_and_from_json_lines(program, pairs, tmp_path):
    rows = [
        list(
            zip(
                *((pairs / f"{part}.{side}").read_text().splitlines() for side in sides),
                strict=True,
            )
        )
        for part, sides in (("train", ("src", "tgt")), ("valid", ("src", "tgt")))
    ]
    table, lines = tmp_path / "train.tsv", tmp_path / "valid.jsonl"
    table.write_text("".join(f"{target}\t{source}\n" for source, target in rows[0]))
    lines.write_text("".join(json.dumps({"src": s, "tgt": t}) + "\n" for s, t in rows[1]))
    out = tmp_path / "model"
    answer = program(
        "train", "translate", "--src", table, "--valid-src", lines, "--out", out, *SMALL, "-q"
    )
    assert answer.status == 0, answer


def test_a_recipe_names_both_sides(program, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_DATA", str(pairs))
    book = tmp_path / "toy.toml"
    settings = 'hidden = 6\nembedding = 5\nepochs = 1\ntokens = "word"\nvocab_size = 0\n'
    texts = '[texts]\ntrain = ["train.src", "train.tgt"]\nvalid = ["valid.src", "valid.tgt"]\n'
    book.write_text(settings + texts)
    answer = program("train", "translate", "--recipe", book, "--out", tmp_path / "model", "-q")
    assert answer.status == 0, answer


@pytest.mark.parametrize("order", ["[2, 1]", '["2", "1"]'])
def test_a_recipe_names_columns(program, pairs, tmp_path, monkeypatch, order):
    monkeypatch.setenv("PENSTOCK_DATA", str(tmp_path))
    for part in ("train", "valid"):
        sides = [(pairs / f"{part}.{side}").read_text().splitlines() for side in ("tgt", "src")]
        rows = ("\t".join(row) + "\n" for row in zip(*sides, strict=True))
        (tmp_path / f"{part}.tsv").write_text("".join(rows))
    book = tmp_path / "toy.toml"
    settings = 'hidden = 6\nembedding = 5\nepochs = 1\ntokens = "word"\njoint = false\n'
    files = 'train = "train.tsv"\nvalid = "valid.tsv"\n'
    book.write_text(f"{settings}vocab_size = 0\n[texts]\nfields = {order}\n{files}")
    answer = program("train", "translate", "--recipe", book, "--out", tmp_path / "model", "-q")
    assert answer.status == 0, answer
    (scored,) = program(
        "score", tmp_path / "model", "--json", "--tokens", stdin=b"dog\tHund\n"
    ).objects
    assert [token for token, _ in scored["by_token"]] == ["Hund", "<eos>"]
    book.write_text(book.read_text().replace(order, "[1, 2]"))
    other = program("train", "translate", "--recipe", book, "--out", tmp_path / "model", "-q")
    assert "holds another model (texts train.tsv:2,1 (" in one_line(other)


# -- translate -------------------------------------------------------------------------------------


def test_line_for_line(program, translator):
    lines = ["dog", "", "two\x0bred", "cat\u2028and dog", "\x85", "never seen", "   ", "dog"]
    answer = program("translate", translator, "-q", stdin="".join(f"{x}\n" for x in lines).encode())
    assert answer.status == 0, answer
    found = answer.out.split("\n")[:-1]
    assert len(found) == len(lines)
    assert [found[n] for n in (1, 6)] == ["", ""]
    assert found[0] == found[7] != ""
    assert answer.err == ""


def test_a_last_line_without_an_end_and_windows(program, translator):
    whole = program("translate", translator, "-q", stdin=b"dog\ncat and dog")
    parts = program("translate", translator, "-q", "--window", 1, stdin=b"dog\r\ncat and dog\n")
    assert whole.out == parts.out
    assert whole.out.count("\n") == 2
    assert program("translate", translator, stdin=b"").out == ""


def test_bytes_that_are_no_text_stop_nothing(program, translator):
    answer = program("translate", translator, "-q", stdin=b"dog\nred \xff\xfe cat\ncat\n")
    assert answer.status == 0
    assert answer.out.count("\n") == 3
    assert answer.err == "penstock: not UTF-8, read as well as could be: stdin:2\n"


def test_json_has_everything(program, translator):
    answer = program("translate", translator, "--json", "--nbest", 2, stdin=b"red dog\n\n")
    full, empty = answer.objects
    assert (full["number"], full["source"], empty["translation"]) == (0, "red dog", "")
    assert full["source_tokens"] == ["red", "dog"]
    assert len(full["hypotheses"]) == 2
    assert empty["hypotheses"] == []
    best = full["hypotheses"][0]
    assert best["text"] == full["translation"]
    assert best["log_p"] == pytest.approx(sum(best["log_ps"]))
    assert [len(best["attention"]), len(best["attention"][0])] == [len(best["tokens"]) + 1, 3]


def test_nbest_lists_and_alignments(program, translator):
    answer = program("translate", translator, "--nbest", 3, "--beam", 3, stdin=b"red dog\n\ncat\n")
    rows = [line.split(" ||| ") for line in answer.out.splitlines()]
    assert [row[0] for row in rows] == ["0"] * 3 + ["2"] * 3
    scores = [float(row[3]) for row in rows[:3]]
    assert scores == sorted(scores, reverse=True)
    aligned = program("translate", translator, "--alignments", stdin=b"red dog and cat\n").out
    text, links = aligned.rstrip("\n").split(" ||| ")
    for link in links.split():
        i, j = map(int, link.split("-"))
        assert 0 <= i < 4
        assert 0 <= j < len(text.split())


def test_an_ensemble_of_one_and_the_same(program, translator):
    alone = program("translate", translator, stdin=b"red dog and cat\n").out
    assert program("translate", translator, translator, stdin=b"red dog and cat\n").out == alone
    weighed = program("translate", translator, translator, "--weights", "1,3", stdin=b"red dog\n")
    assert weighed.status == 0


@pytest.fixture(scope="module")
def ngrams(pairs, tmp_path_factory):
    """A file of n-grams of the target."""
    out = tmp_path_factory.mktemp("ngrams") / "lm.arpa"
    options = ["--order", "2", "--smoothing", "witten-bell", "-q"]
    with pytest.raises(SystemExit) as left:
        main(["train", "ngram", *options, str(pairs / "train.tgt"), "-o", str(out)])
    assert left.value.code == 0
    return out


def test_a_language_model_advises(program, translator, ngrams, trained):
    def best(*options):
        answer = program("translate", translator, *options, "--json", stdin=b"red dog and cat\n")
        assert answer.err == ""
        return answer.objects[0]["hypotheses"][0]

    alone = best()
    unheard = best("--lm", ngrams, "--lm-weight", 0)
    assert unheard["tokens"] == alone["tokens"]
    assert unheard["log_ps"] == pytest.approx(alone["log_ps"], abs=1e-5)
    assert best("--lm", ngrams)["log_p"] != alone["log_p"]
    said = one_line(program("translate", translator, "--lm", trained, stdin=b"dog\n"))
    assert "got one that knows none of its" in said


def test_words_that_the_language_model_lacks_are_told(program, translator, tmp_path):
    text, out = tmp_path / "text", tmp_path / "lm.arpa"
    text.write_text("Hund und Katze\n" * 3)
    assert (
        program("train", "ngram", "--smoothing", "witten-bell", text, "-o", out, "-q").status == 0
    )
    answer = program("translate", translator, "--lm", out, stdin=b"dog\n")
    assert answer.err == f"penstock: {out}: 3 of the translator's 8 tokens are its <unk>\n"
    assert program("translate", translator, "--lm", out, "-q", stdin=b"dog\n").err == ""


def test_samples_by_seed(program, translator):
    def drawn(*options):
        options = ("--sample", "--nbest", 2, "--temperature", 2, *options)
        answer = program("translate", translator, *options, stdin=b"red dog and cat\n\ncat\n")
        assert answer.status == 0, answer
        return [line.split(" ||| ")[:2] for line in answer.out.splitlines()]

    found = drawn("--seed", 4)
    assert [number for number, _ in found] == ["0", "0", "2", "2"]
    assert drawn("--seed", 4, "--window", 1) == found
    assert drawn("--seed", 5) != found
    greedy = program("translate", translator, "--beam", 1, stdin=b"red dog and cat\n").out
    cold = ("--sample", "--temperature", 0)
    assert program("translate", translator, *cold, stdin=b"red dog and cat\n").out == greedy


def test_minimum_bayes_risk(program, translator):
    stdin = b"red dog and cat\n"
    options = ("--sample", "--mbr", 30, "--utility", "bleu")
    (chosen,) = program("translate", translator, *options, "--json", stdin=stdin).objects
    (best,) = chosen["hypotheses"]
    assert 0 <= best["score"] <= 100 + 1e-9
    drawn = program("translate", translator, "--sample", "--nbest", 30, "--json", stdin=stdin)
    assert best["text"] in {one["text"] for one in drawn.objects[0]["hypotheses"]}
    two = program("translate", translator, "--mbr", 5, "--nbest", 2, stdin=stdin).out
    assert two.count("\n") == 2


def test_what_must_and_must_not_come(program, translator, tmp_path):
    wanted = [{"prefix": "Katze eins"}, {}, {"must": ["und rot"]}, {"must": ["nie"]}, {}]
    file = tmp_path / "wanted.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in wanted))
    options = ("--constraints", file, "--forbid", "zwei", "--forbid", "Hund Hund")
    stdin = b"dog\n\nred dog\ncat\ntwo two\n"
    answer = program("translate", translator, *options, stdin=stdin)
    lines = answer.out.split("\n")[:-1]
    assert answer.err == "penstock: no translation within the constraints, left empty: stdin:4\n"
    assert len(lines) == 5
    assert lines[0].startswith("Katze eins")
    assert "und rot" in lines[2]
    assert [lines[1], lines[3]] == ["", ""]
    assert "zwei" not in answer.out
    assert lines[4]
    one_by_one = program("translate", translator, *options, "--window", 1, stdin=stdin)
    assert one_by_one.out == answer.out


def test_constraints_that_are_none(program, translator, tmp_path):
    file = tmp_path / "wanted.jsonl"
    file.write_text('{"mist": ["Hund"]}\n')
    said = one_line(program("translate", translator, "--constraints", file, stdin=b"dog\n"))
    assert f"{file}:1: expected must, must_not, prefix, got 'mist'. Did you mean 'must'?" in said
    file.write_text("{}\n")
    answer = program("translate", translator, "--constraints", file, stdin=b"dog\ncat\n")
    assert "expected constraints for each line, got 1 for 2 lines or more" in one_line(answer)


# -- score and evaluate ----------------------------------------------------------------------------


def test_scores_are_those_of_the_search(program, translator):
    (found,) = program("translate", translator, "--json", stdin=b"red dog\n").objects
    best = found["hypotheses"][0]
    line = f"red dog\t{best['text']}\n".encode()
    (scored,) = program("score", translator, "--json", "--tokens", stdin=line).objects
    assert scored["log_p"] == pytest.approx(best["log_p"], abs=1e-4)
    assert [name for name, _ in scored["by_token"]] == [*best["tokens"], "<eos>"]


def test_pairs_of_files_are_scored_by_several_as_one(program, translator, pairs):
    both = files(pairs, "test", "")
    alone = [one["log_p"] for one in program("score", translator, *both, "--json").objects]
    together = program("score", translator, translator, *both, "--json").objects
    assert [one["log_p"] for one in together] == pytest.approx(alone, abs=1e-4)
    sides = ((pairs / f"test.{side}").read_text().splitlines() for side in ("src", "tgt"))
    lines = zip(*sides, strict=True)
    typed = "".join(f"{source}\t{target}\n" for source, target in lines).encode()
    answers = program("score", translator, "--json", stdin=typed).objects
    assert [one["log_p"] for one in answers] == alone


def test_pairs_before_a_mistake_are_scored(program, translator):
    answer = program("score", translator, stdin=b"dog\tHund\ncat\n")
    assert answer.status == 2
    assert "stdin:2: expected a source" in answer.err
    assert answer.out.endswith("dog\tHund\n")


def test_an_nbest_list_is_scored(program, translator, pairs, tmp_path):
    text = (pairs / "test.src").read_bytes()
    found = program("translate", translator, "--nbest", 3, "--beam", 3, stdin=text).out
    (tmp_path / "list").write_text(found)
    given = ("--src", pairs / "test.src", "--nbest", tmp_path / "list")
    same = [Entry.parse(line) for line in program("score", translator, *given).out.splitlines()]
    assert [entry.text for entry in same] == [Entry.parse(line).text for line in found.splitlines()]
    for entry in same:
        assert entry.features["penstock"] == pytest.approx(entry.features["logp"], abs=1e-3)
    anew = program("score", translator, *given, "--weight", 2).out.splitlines()
    first, second = (Entry.parse(line) for line in anew[:2])
    assert first.score >= second.score
    assert "expected one --src FILE" in one_line(program("score", translator, *given[2:]))


def test_a_search_is_as_wide_as_asked_or_as_after_training(program, translator):
    """The settings of a beam that the user leaves out."""

    def answered(*options):
        (one,) = program("translate", translator, "--json", *options, stdin=b"red dog\n").objects
        return [hypothesis["score"] for hypothesis in one["hypotheses"]]

    assert answered() == answered("--beam", 5)
    assert answered("--nbest", 7) == answered("--nbest", 7, "--beam", 7)
    assert answered("--groups", 2, "--nbest", 6) == answered(
        "--groups", 2, "--beam", 6, "--nbest", 6
    )


@pytest.mark.parametrize("blank", ["  ", "\t", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}"])
def test_a_line_with_nothing_to_see_stays_empty(program, translator, blank):
    answer = program("translate", translator, stdin=f"{blank}\nred dog\n".encode())
    assert answer.out.split("\n")[0] == ""
    assert answer.out.split("\n")[1] != ""
    assert answer.err == ""


def test_evaluation_takes_the_options_of_a_search(program, translator, pairs):
    both = files(pairs, "test", "")
    risk = program("evaluate", translator, *both, "--mbr", 4, "--normalise", "wu", "--json")
    assert risk.status == 0, risk.err
    assert "expected a kind of BLEU" in one_line(
        program("evaluate", translator, *both, "--bleu", "chrf")
    )
    assert "resamples >= 100" in one_line(program("evaluate", translator, *both, "--resamples", 50))


def test_a_shortlist_makes_it_faster(program, translator, copy, pairs):
    both = files(pairs, "test", "")
    whole, short = (
        program("evaluate", translator, *both, "--beam", 3, "--shortlist", number).out
        for number in (0, 50)
    )
    assert short == whole  # for so small a vocabulary is common as a whole
    assert "from 1 to 50 tokens, got 51" in one_line(
        program("translate", translator, "--shortlist", 51, stdin=b"a\n")
    )
    (copy / "shortlist.safetensors").unlink()
    assert "has no shortlist.safetensors" in one_line(
        program("translate", copy, "--shortlist", 9, stdin=b"a\n")
    )


def test_links_and_their_weight_belong_together(program, pairs, tmp_path):
    options = ("train", "translate", *files(pairs, "train", ""), *files(pairs, "valid", "valid-"))
    said = one_line(program(*options, "--out", tmp_path / "model", "--guided", 1))
    assert "expected --links FILE" in said
    assert not (tmp_path / "model").exists()


def test_evaluation_translates_and_compares(program, translator, pairs):
    both = files(pairs, "test", "")
    (found,) = program("evaluate", translator, *both, "--json", "--beam", 2).objects
    assert {"BLEU", "chrF2", "TER", "perplexity"} == set(found)
    assert found["perplexity"]["perplexity"] == pytest.approx(
        math.exp(found["perplexity"]["nats_per_token"])
    )
    shown = program("evaluate", translator, *both, "--bleu", "bleu-lc", "--resamples", 100).out
    assert "case:lc" in shown.splitlines()[0]
    assert "[" in shown.splitlines()[0]
    assert shown.splitlines()[-1].startswith("perplexity = ")


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden", "0"], "expected hidden as one number >= 1"),
        (["--attention", "dott"], "unknown attention 'dott'. Did you mean 'dot'?"),
        (["--cell", "gruu"], "unknown cell 'gruu'. Did you mean 'gru'?"),
        (["--first-state", "last"], "fits no state of the decoder"),
        (["--tying", "all"], "expected joint with tying='all'"),
        (["--copying", "--attention", "none"], "expected an attention with copying"),
        (["--coverage", "--form", "after", "--attention", "dot"], "expected attention='additive'"),
        (["--hidden", str(10**6)], "expected a model that fits in memory"),
        (["--languages", "de"], "expected languages as two"),
        (["--recipe", "multi30k-en-dee"], "unknown recipe 'multi30k-en-dee'"),
        (["--fields", "1"], "expected fields as two, A,B, got '1'"),
        (["--valid-src", "nowhere"], "nowhere: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_writes_nothing(program, pairs, tmp_path, options, said):
    assert said in one_line(program(*arguments(pairs, tmp_path / "model", *options)))
    assert not (tmp_path / "model").exists()


def test_files_that_are_not_named(program, pairs, tmp_path):
    answer = program("train", "translate", "--out", tmp_path / "model")
    assert "expected --src and --tgt and --valid-src and --valid-tgt" in one_line(answer)
    lone = program("train", "translate", "--tgt", pairs / "train.tgt", "--out", tmp_path / "model")
    assert "expected the sources of" in one_line(lone)


def test_files_of_different_length(program, pairs, tmp_path):
    short = tmp_path / "short"
    short.write_text("".join((pairs / "train.tgt").read_text().splitlines(keepends=True)[:-2]))
    given = [
        short if part == pairs / "train.tgt" else part
        for part in arguments(pairs, tmp_path / "model")
    ]
    line = one_line(program(*given))
    assert "train.src:39: expected files of the same length" in line
    assert "got 40 lines in" in line
    assert "and 38 in" in line


@pytest.mark.parametrize("name", [*TOKENISERS, "weights.safetensors"])
def test_a_missing_file_is_named(program, copy, name):
    (copy / name).unlink()
    line = one_line(program("translate", copy, stdin=b"dog\n"))
    assert name in line or "has not ended" in line


def test_a_changed_tokeniser_is_noticed(program, copy, pairs, tmp_path):
    other = train(pairs, tmp_path / "other", "--lowercase")
    for name in ("target.json", "target.tokenizer.json"):
        shutil.copy(other / name, copy / name)
    assert "expected the tokeniser this model was trained with" in one_line(
        program("translate", copy, stdin=b"dog\n")
    )


@pytest.mark.parametrize(
    ("verb", "stdin", "said"),
    [
        (
            ["translate", "--beam", "2", "--nbest", "3"],
            b"",
            "expected --beam of at least --nbest 3, got 2",
        ),
        (["translate", "--normalise", "wuu"], b"", "Did you mean 'wu'?"),
        (["translate", "--weights", "1,2"], b"", "weights: expected 1 number, got '1,2'"),
        (["translate", "--sample", "--beam", "2"], b"", "expected no --beam with --sample"),
        (["translate", "--top-k", "2"], b"", "expected --sample with --top-k"),
        (["translate", "--sample", "--top-p", "2"], b"", "expected temperature 0 or from"),
        (["translate", "--sample", "--seed", "-1"], b"", "expected nbest >= 1 and seed >= 0"),
        (["translate", "--mbr", "6", "--beam", "5"], b"", "of at least --mbr 6, got 5"),
        (["translate", "--mbr", "-1"], b"", "expected --mbr of 0 or more, got -1"),
        (["translate", "--mbr", "2", "--nbest", "3"], b"", "expected --nbest of at most --mbr 2"),
        (["translate", "--utility", "bleu"], b"", "expected --mbr N with --utility"),
        (["translate", "--mbr", "2", "--utility", "blue"], b"", "Did you mean 'bleu'?"),
        (["translate", "--lm-weight", "1"], b"", "expected --lm MODEL with --lm-weight"),
        (["translate", "--lm", "nowhere.arpa"], b"", "nowhere.arpa: no such file"),
        (["translate", "--forbid", " "], b"", "expected a word or phrase with --forbid"),
        (["translate", "--constraints", "nowhere"], b"", "nowhere: no such file"),
        (["score"], b"dog\n", "stdin:1: expected a source, a tab and a translation, got 'dog'"),
        (["evaluate"], b"", "expected --src FILE and --tgt FILE for a translator"),
        (["generate"], b"", "expected a language model, got a translator"),
        (["evaluate", "--bleu", "blue"], b"", "expected --src FILE"),
        (["evaluate", "--test", "x", "--quantise", "int8"], b"", "no --test, --quantise: "),
        (["translate", "--alpha", "1"], b"", "expected --normalise wu with --alpha"),
        (["translate", "--diversity", "1"], b"", "expected --groups of 2 or more"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_verb(program, translator, verb, stdin, said):
    assert said in one_line(program(verb[0], translator, *verb[1:], stdin=stdin))


def test_a_language_model_does_not_translate(program, trained):
    assert "expected a translator, got a language model" in one_line(program("translate", trained))
    assert one_line(program("evaluate", trained)).endswith("expected --test FILE.")


def test_alignments_need_attention(program, pairs, tmp_path):
    folder = train(pairs, tmp_path / "model", "--attention", "none", "--reads-summary")
    line = one_line(program("translate", folder, "--alignments", stdin=b"dog\n"))
    assert "expected a translator with attention" in line
    assert program("translate", folder, "-q", stdin=b"dog\n").out.count("\n") == 1


# -- quickstart ------------------------------------------------------------------------------------


def test_quickstart_translates_and_draws(program, tmp_path, monkeypatch):
    from penstock.cli import quickstart_translate
    from penstock.text import locale

    monkeypatch.setattr(locale, "SPLITS", {"train": 60, "valid": 8, "test": 12})
    monkeypatch.setitem(quickstart_translate.SETTINGS, "hidden", "8")
    out = tmp_path / "quick"
    answer = program("quickstart", "--task", "translate", "--out", out, "--epochs", 1, "-q")
    assert answer.status == 0, answer
    assert "test BLEU|nrefs:1" in answer.out
    assert (out / "attention.png").stat().st_size > 1000
    (again,) = program(
        "quickstart", "--task", "translate", "--out", out, "--epochs", 1, "-q", "--json"
    ).objects
    assert set(again["results"]) == {"valid", "test"}
    assert len(again["samples"]) == 8


def test_quickstart_of_another_kind(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for options, said in (
        (["--task", "translation"], "unknown task 'translation'. Did you mean 'translate'?"),
        (["--task", "translate", "--languages", "en"], "expected languages as en,de, got 'en'"),
    ):
        assert said in one_line(program("quickstart", *options))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("normalise", "wu"),
        ("alpha", 0.1),
        ("coverage", 0.2),
        ("stop", "bound"),
        ("prune", 2.5),
        ("no_repeat", 2),
        ("groups", 5),
        ("diversity", 0.9),
        ("max_length", 7),
        ("min_length", 3),
        ("nbest", 4),
    ],
)
def test_every_option_of_a_beam_reaches_the_search(name, value):
    assert getattr(SearchOptions(**{name: value}).options(5), name) == value


def test_every_setting_of_a_beam_is_an_option():
    named = {item.name for item in fields(SearchOptions)} | {"size"}
    assert {item.name for item in fields(Beam)} <= named
