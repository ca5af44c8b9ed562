"""Small models and runs to look into."""

from __future__ import annotations

import json

import pytest
from matplotlib.figure import Figure

from penstock.models.language import LanguageModel
from penstock.scoring.losses import perplexity
from penstock.text import Corpus, Tokeniser
from penstock.training.gradients import equation_gradients
from penstock.training.language import LanguageSettings, build_model
from penstock.training.run import LanguageRun
from penstock.training.state import Summary

LINES = [
    "the cat sat on the mat & purred <loudly> all day long",
    'a dog said "no" to the cat , and $5 to the "tom\'s" shop',
    "日本語 naïve ☃ 🜁 see http://example.org/?a=1&b=2 to read more words here",
    "the end of it",
]


@pytest.fixture
def make_model():
    """A small language model in float64, for exact comparisons."""

    def make(cell, vocab_size=11, **options):
        options = {"embedding_size": 5, "hidden_size": 6, **options}
        return LanguageModel(vocab_size, cell, **options).double()

    return make


@pytest.fixture
def blank_figures(monkeypatch):
    """Figures are made but not drawn, which takes most of the time."""
    blank = '<svg viewBox="0 0 1 1"></svg>'
    monkeypatch.setattr(Figure, "savefig", lambda self, buffer, **options: buffer.write(blank))


@pytest.fixture
def make_run(tmp_path):
    """A run as training leaves it, with weights as they start."""

    def make(cell="gru", tokens="word", *, name="run", copies=12, **options):
        lines = LINES * copies
        size = 290 if tokens in ("bpe", "unigram") else None
        tokeniser = Tokeniser.from_lines(lines, tokens, vocab_size=size)
        settings = LanguageSettings(cell=cell, tokens=tokens, **{"hidden": "6", **options})
        model = build_model(settings, tokeniser.vocab_size)
        corpora = {
            part: Corpus.from_lines(text, tokeniser)
            for part, text in (("train", lines), ("valid", LINES[:3]), ("test", LINES))
        }
        results = {part: perplexity(model, tokeniser, corpora[part]) for part in ("valid", "test")}
        folder = tmp_path / name
        folder.mkdir()
        _write_log(folder, model)
        summary = Summary(3, 30, 2.5, 2, 61.0, "epochs")
        return LanguageRun(folder, model, tokeniser, settings, corpora, summary, results)

    return make


def _write_log(folder, model):
    model(model.embedding.weight.new_zeros(3, 1).long())[0].sum().backward()
    norms = dict.fromkeys(equation_gradients(model)(), 0.5)
    model.zero_grad(set_to_none=True)
    rows = []
    for epoch in (1, 2, 3):
        place = {"epoch": epoch, "lr": 0.1 / epoch}
        update = {"update": 10 * epoch - 5, "loss": 3.0, "grad_norm": 2.0, "grad_norms": norms}
        rows.append({"kind": "update", **place, **update})
        rows.append({"kind": "epoch", **place, "update": 10 * epoch, "train_loss": 4.0 / epoch})
        rows[-1] |= {"valid_loss": 5.0 / epoch}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
