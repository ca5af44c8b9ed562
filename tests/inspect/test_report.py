"""The page: valid, whole, escaped, for every kind of token and cell."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from penstock.cells.base import CELLS
from penstock.errors import PenstockError
from penstock.inspect import Picture, ReportData, Result, Run, gather, write_report
from penstock.text import UNK, Corpus

VOID = {"meta", "br"}
CUSTOM = """
m = tanh(W @ x + U @ h[t-1] + b)    # a <new> memory & more
k = sigmoid(V @ x + d)              # keep
h = k * h[t-1] + (1 - k) * m
"""
REPORT = ReportData("title", "subtitle", (Result("a", "1"),), "definition", "<math></math>")


class Page(HTMLParser):
    """The elements of a page; a tag that does not fit raises."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        names = ("src", "href", "xlink:href", "action", "data")
        self.links += [value for name, value in attributes if name in names]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read_page(folder, report):
    text = write_report(folder, report).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "@import" not in text
    assert re.search(r"url\((?!#)", text) is None
    page = Page(text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    return page


@pytest.mark.parametrize("tokens", ["word", "character"])
def test_the_whole_page(make_run, tokens):
    run = make_run("lstm", tokens, layers=2, hidden="6,4")
    page = read_page(run.folder, gather(run))
    assert page.tags.count("svg") == 9
    assert page.tags.count("image") >= 8


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize("tokens", ["word", "character", "byte", "bpe", "unigram"])
def test_every_kind_of_token(make_run, tokens):
    run = make_run("lstm", tokens, layers=2, hidden="6,4")
    page = read_page(run.folder, gather(run))
    assert page.tags.count("figure") == 9
    assert page.tags.count("blockquote") == 3
    assert f"({tokens})" in "".join(page.text)


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(
    ("cell", "options", "figures"),
    [
        ("gru", {"layers": 3, "hidden": "6,4,5"}, 10),
        ("elman", {}, 8),
        (CUSTOM, {"sentences": True}, 8),
        ("h = 0.5 * h[t-1] + W @ x", {}, 7),
        ("h = W @ x", {}, 6),
        ("A = W - W.T\ng = softmax(A @ h[t-1] + V @ x)\nh = g + 0.1 * h[t-2]", {"hidden": "5"}, 7),
        ("lstm", {"zoneout": 0.1, "layer_norm": True, "weight_drop": 0.2, "tied": True}, 8),
        ("window", {"context": 3, "direct": True, "output": "hierarchical"}, 8),
    ],
    ids=[
        *("three sizes", "no gates", "own cell", "linear", "no state", "delays", "regularised"),
        "window",
    ],
)
def test_every_kind_of_cell(make_run, cell, options, figures):
    run = make_run(cell, **options)
    page = read_page(run.folder, gather(run))
    assert page.tags.count("figure") == figures
    assert page.tags.count("math") == 1


@pytest.mark.usefixtures("blank_figures")
def test_what_the_head_says(make_run):
    run = make_run("lstm")
    report = gather(run)
    numbers = {result.label: result.number for result in report.results}
    assert numbers == {
        "test perplexity": f"{run.results['test'].perplexity:,.1f}",
        "validation perplexity": f"{run.results['valid'].perplexity:,.1f}",
        "bits per character": f"{run.results['test'].bits_per_character:.3f}",
        "parameters": f"{sum(p.numel() for p in run.model.parameters()):,}",
        "tokens per second": f"{3 * len(run.corpora['train']) / 61:,.0f}",
        "training time": "1 min 01 s",
    }
    assert run.results["test"].signature in report.definition
    assert "Hochreiter & Schmidhuber 1997" in report.citation
    assert "Hochreiter & Schmidhuber 1997" in "".join(read_page(run.folder, report).text)


@pytest.mark.usefixtures("blank_figures")
def test_without_a_test_text_and_without_logs(make_run):
    run = make_run()
    (run.folder / "metrics.jsonl").unlink()
    corpora = {part: run.corpora[part] for part in ("train", "valid")}
    report = gather(replace(run, corpora=corpora, results={"valid": run.results["valid"]}))
    assert "validation text" in report.notes
    assert read_page(run.folder, report).tags.count("figure") == 5


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize("lines", [["a"], ["the cat sat"], ["🜁 <b>"] * 3])
@pytest.mark.parametrize("cell", ["lstm", "window"])
def test_texts_of_a_few_tokens(make_run, lines, cell):
    run = make_run(cell)
    corpora = run.corpora | {"test": Corpus.from_lines(lines, run.tokeniser)}
    read_page(run.folder, gather(replace(run, corpora=corpora)))


@pytest.mark.usefixtures("blank_figures")
def test_surprisal_is_that_of_the_text(make_run):
    run = make_run("lstm")
    passage = gather(run).passage
    cost, tokens = run.results["test"], run.tokeniser.tokens
    assert [token for token, _ in passage] == [tokens[id] for id in run.corpora["test"].ids]
    assert sum(bits for _, bits in passage) == pytest.approx(cost.bits_per_token * cost.tokens)


@pytest.mark.usefixtures("blank_figures")
def test_samples_have_no_unknown_word(make_run):
    samples = gather(make_run(min_count=1)).samples
    assert [how for how, _ in samples] == ["Temperature 0.5", "Temperature 0.8", "Temperature 1"]
    assert all(text and UNK not in text for _, text in samples)


@pytest.mark.usefixtures("blank_figures")
def test_runs_are_compared(make_run):
    runs = [make_run("elman", name="a"), make_run("gru", name="b"), make_run("lstm", name="c")]
    report = gather(runs[1], compared=runs)
    assert [row.name for row in report.runs] == ["untrained", "elman", "gru", "lstm"]
    assert report.runs[0] == Run("untrained", runs[0].tokeniser.vocab_size)
    assert report.runs[1].perplexity == runs[0].results["test"].perplexity
    page = read_page(runs[1].folder, report)
    assert page.tags.count("tr") == 5
    assert page.tags.count("figure") == 9
    again = gather(runs[1], compared=[runs[1], replace(runs[1], folder=runs[0].folder)])
    assert [row.name for row in again.runs] == ["untrained", "b", "a"]


@pytest.mark.parametrize(
    "odd", ["<script>alert(1)</script>", "&amp;", '"><b>', "a\x00b\x1b", "\ud800"]
)
def test_texts_are_escaped(tmp_path, odd):
    report = replace(
        REPORT,
        title=odd,
        subtitle=odd,
        results=(Result(odd, odd, odd),),
        definition=odd,
        citation=odd,
        pictures=(Picture(odd, odd, odd, "<svg></svg>"),),
        passage=((odd, 3.0),),
        samples=((odd, odd),),
        settings={odd: odd},
        notes=odd,
        runs=(Run(odd, 2.0),),
    )
    page = read_page(tmp_path, report)
    text = "".join(page.text)
    plain = re.sub(r"[\x00\x1b]", "\N{REPLACEMENT CHARACTER}", odd).replace("\ud800", "?")
    assert text.count(plain) >= 14
    assert "b" not in page.tags


def test_pictures_of_one_section_stand_together(tmp_path):
    pictures = tuple(Picture(section, "t", "c", "<svg></svg>") for section in ("A", "B", "A"))
    assert read_page(tmp_path, replace(REPORT, pictures=pictures)).tags.count("h2") == 3


def test_every_equation_of_the_zoo_can_stand_in_the_page(tmp_path):
    from penstock.inspect.html import equations

    for name in CELLS:
        program = CELLS[name].program()
        page = read_page(tmp_path, replace(REPORT, equations=equations(program)))
        comments = [line.comment for line in program.assignments if line.comment]
        assert all(comment in page.text for comment in comments), name


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PenstockError, match=r"report\.html: cannot be written"):
        write_report(tmp_path / "file", REPORT)


@pytest.mark.usefixtures("blank_figures")
def test_the_model_is_left_as_it_was(make_run):
    run = make_run("lstm", dropout=0.5)
    run.model.train()
    gather(run)
    assert run.model.training
    assert all(parameter.grad is None for parameter in run.model.parameters())
