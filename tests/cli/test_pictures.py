"""``penstock inspect`` and ``penstock compare`` of translators, with weights as they start."""

from __future__ import annotations

import re

import pytest
import torch

from penstock.metrics.translation import Metric
from penstock.models import store
from penstock.search.nbest import Entry, write_nbest
from penstock.text import Preparation, SentenceTokeniser
from penstock.training import folder as folders
from penstock.training.translation import build_model
from penstock.training.translation_settings import TranslationSettings
from penstock.translation.system import SIDES
from tests.cli.conftest import one_line

SOURCES = ["ein kleiner Hund läuft", "eine Katze schläft", "der Hund schläft im Haus", ""] * 3
TARGETS = ["a small dog runs", "a cat sleeps", "the dog sleeps in the house", ""] * 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with translators one, two and plain, which does not attend, and their texts."""
    place = tmp_path_factory.mktemp("translators")
    small = {"hidden": "6", "embedding": 5, "tokens": "word", "joint": False}
    small["pretokenise"] = "none"
    for seed, (name, attention) in enumerate([("one", "dot"), ("two", "dot"), ("plain", "none")]):
        settings = TranslationSettings(attention=attention, **small)
        sides = [
            SentenceTokeniser.train(text, "word", preparation=Preparation("none"))
            for text in (SOURCES, TARGETS)
        ]
        torch.manual_seed(seed)
        model = build_model(settings, *(side.vocab_size for side in sides))
        (place / name).mkdir()
        prints = {}
        for side, tokeniser in zip(SIDES, sides, strict=True):
            tokeniser.save(place / name, side)
            prints[side] = tokeniser.fingerprint
        folders.describe(place / name, model, settings, {}, tokenisers=prints)
        store.save_weights(place / name, model)
    for name, lines in (("src", SOURCES), ("ref", TARGETS), ("worse", ["a dog"] * 12)):
        (place / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lists = [Entry(n, text, {}, -1.0) for n in range(12) for text in ("a dog", TARGETS[n])]
    write_nbest(place / "list", lists)
    return place


# -- inspect ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--pieces", "--columns", 1), ("--lines", "2,5-6")])
def test_attention(program, made, tmp_path, more):
    out = tmp_path / "maps.svg"
    answer = program("inspect", "attention", made / "one", made / "two", "--out", out, *more,
                     "--src", made / "src")  # fmt: skip
    assert answer == (0, f"{out}\n", "")
    words = {"Katze", "kleiner"} if "--lines" not in more else {"Katze"}
    shown = set(re.findall(r">([^<>]+)</text>", out.read_text(encoding="utf-8")))
    assert words <= shown
    assert {"line 2", "attention weight"} <= shown


def test_beam(program, made, tmp_path):
    out = tmp_path / "tree.html"
    text = "eine Katze schläft\r\nzwei\u2028Hunde\n".encode()
    answer = program("inspect", "beam", made / "plain", "--beam", 3, "--out", out, stdin=text)
    assert answer == (0, f"{out}\n", "")
    page = out.read_text(encoding="utf-8")
    assert "Beam search of 3 hypotheses" in page
    assert re.findall("<h2>(.*?)</h2>", page) == ["eine Katze schläft", "zwei\u2028Hunde"]


def test_states(program, made, tmp_path):
    out, phrases = tmp_path / "states.png", tmp_path / "phrases"
    phrases.write_text("ein Hund\n\nHund ein\neine Katze\n", encoding="utf-8")
    answer = program("inspect", "states", made / "plain", "--out", out, "--phrases", phrases)
    assert answer == (0, f"{out}\n", "")
    assert out.read_bytes().startswith(b"\x89PNG")
    answer = program("inspect", "states", made / "plain", "--out", out)
    assert answer.status == 0
    assert "penstock: words that the model does not know: John, respects, Mary" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("attention", "plain", "--out", "a.png"), "expected a translator with attention"),
        (("attention", "one", "--out", "a.gif"), "a.gif: expected a name ending in .pdf, .png"),
        (("beam", "one", "--out", "a.png"), "a.png: expected a name ending in .html"),
        (("beam", "one", "--out", "a.html", "--lines", "x"), "expected numbers of lines as 1,7-9"),
        (("beam", "one", "--out", "a.html", "--lines", "0"), "counted from 1"),
        (("beam", "one", "--out", "a.html", "--lines", "9-2"), "expected 1 to 100 lines"),
        (("beam", "one", "--out", "a.html", "--lines", "1-999999999"), "expected 1 to 100 lines"),
        (("beam", "one", "--out", "a.html", "--lines", "\N{SUPERSCRIPT TWO}"), "expected numbers"),
        (("beam", "one", "--out", "a.html", "--lines", "99"), "expected line 99, got 12 lines"),
        (("beam", "one", "--out", "a.html", "--lines", "4"), "empty lines only"),
        (("states", "none", "--out", "a.png"), "none"),
        (("states", "one", "--out", "a.png", "--phrases", "same"), "the same for all phrases"),
    ],
)
def test_mistakes_of_inspect(program, made, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (made / "same").write_text("Hund\nHund\nHund\n")
    arguments = [made / "same" if one == "same" else one for one in arguments]
    verb, folder, *rest = arguments
    source = () if verb == "states" else ("--src", made / "src")
    assert message in one_line(program("inspect", verb, made / folder, *rest, *source))
    assert not list(tmp_path.iterdir())


# -- compare ---------------------------------------------------------------------------------------


@pytest.fixture
def compare(program, made, monkeypatch):
    """``penstock compare`` in the folder, quickly."""
    monkeypatch.chdir(made)

    def run(*arguments, texts=("--src", "src", "--ref", "ref")):
        return program("compare", *arguments, *texts, "--resamples", 100, "-q")

    return run


def test_the_tables_of_the_lecture(compare):
    answer = compare("plain", "one", "one+two", "--beams", "1,3", "--nbest", "list", "--json")
    (table,) = answer.objects
    rows = [(row["system"], row["beam"]) for row in table["rows"]]
    assert rows == [
        *[(name, beam) for name in ("plain", "one", "one+two") for beam in (1, 3)],
        ("list", None),
        *[(f"list rescored by {name}", None) for name in ("plain", "one", "one+two")],
        ("oracle of list", None),
    ]
    by_name = {row["system"]: row for row in table["rows"]}
    assert by_name["one+two"]["parameters"] == 2 * by_name["one"]["parameters"]
    assert by_name["one"]["sentences_per_second"] > 0
    bound = Metric("bleu", TARGETS).score([line or "a dog" for line in TARGETS]).value
    assert by_name["oracle of list"]["scores"]["bleu"] == pytest.approx(bound)
    assert by_name["list"]["scores"]["bleu"] < bound / 2
    assert not table["rows"][table["best"]]["is_bound"]


def test_files_of_translations(compare, made, tmp_path):
    figure = tmp_path / "lengths.svg"
    answer = compare("worse", "ref", "worse", "--by-length", figure, "--save", tmp_path / "out")
    assert answer.status == 0
    assert answer.err == ""
    head, *rows, bleu, chrf, ter, chance, lengths, worse, ref = answer.out.splitlines()
    assert lengths.split()[0] == "words"
    assert worse.split()[0] == "worse"
    assert ref.split()[-5:-1] == ["1.00", "1.00", "-", "1.00"]
    assert head.split()[:5] == ["system", "beam", "BLEU", "interval", "p"]
    expected = Metric("bleu", TARGETS).score(["a dog"] * 12).value
    assert [row.split()[:3] for row in rows] == [
        ["worse", "-", f"{expected:.2f}"],
        ["ref", "-", "100.00"],
    ]
    assert " best " in rows[1]
    assert bleu.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a")
    assert (chrf[:6], ter[:4]) == ("chrF2|", "TER|")
    assert "1,000 trials" in chance
    assert "words of the source" in figure.read_text(encoding="utf-8")
    assert (tmp_path / "out/worse.txt").read_text() == "a dog\n" * 12


def test_translations_that_are_kept_are_those_of_translate(compare, program, made, tmp_path):
    answer = compare("one+two", "--beams", "2", "--save", tmp_path)
    assert answer.status == 0
    (kept,) = tmp_path.iterdir()
    assert kept.name == "one+two.beam2.txt"
    source = (made / "src").read_bytes()
    alone = program("translate", made / "one", made / "two", "--beam", 2, stdin=source)
    assert kept.read_text(encoding="utf-8") == alone.out


def test_several_references_and_another_bleu(compare):
    texts = ("--src", "src", "--ref", "worse", "--tgt", "ref")
    answer = compare("ref", "--bleu", "bleu-lc", "--json", texts=texts)
    (table,) = answer.objects
    assert table["rows"][0]["scores"]["bleu-lc"] == pytest.approx(100)
    assert "nrefs:2|case:lc" in table["signatures"]["bleu-lc"]


def test_text_that_looks_tokenised_is_told_of(compare, tmp_path):
    path = tmp_path / "tokenised"
    path.write_text("a dog .\ntwo dogs .\n")
    answer = compare(path, texts=("--ref", path))
    assert answer.status == 0
    assert "Try --bleu multi-bleu" in answer.err
    answer = compare(path, "--bleu", "multi-bleu", texts=("--ref", path))
    assert answer.err == ""


@pytest.mark.parametrize(
    ("arguments", "texts", "message"),
    [
        (("one",), (), "expected --src FILE and --ref FILE, the text to compare on"),
        (("one",), ("--ref", "ref"), "expected --src FILE, the sentences to be translated"),
        (("none",), ("--src", "src", "--ref", "ref"), "none"),
        (("one", "--beams", "1,x"), ("--src", "src", "--ref", "ref"), "beams as 1,2,12, got '1,x'"),
        (("one", "--beams", "0"), ("--src", "src", "--ref", "ref"), "beams as 1,2,12, got '0'"),
        (("one", "--bleu", "blue"), ("--src", "src", "--ref", "ref"), "Did you mean 'bleu'?"),
        (("one", "--by-length", "a.gif"), ("--src", "src", "--ref", "ref"), "a.gif: expected"),
        (("ref", "--by-length", "a.svg"), ("--ref", "ref"), "expected --src FILE"),
        (("short",), ("--src", "src", "--ref", "ref"), "expected 12 translations.* got 2 of short"),
        (("one",), ("--src", "short", "--ref", "ref"), "ref:3: .* 2 lines in short and 12 in ref"),
    ],
)
def test_mistakes_of_compare(compare, made, arguments, texts, message):
    (made / "short").write_text("a\nb\n")
    assert re.search(message, one_line(compare(*arguments, texts=texts)))
