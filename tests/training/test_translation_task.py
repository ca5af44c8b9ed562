"""What a translator's training descends, and in which order it sees the pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from penstock.errors import ConfigError, DataError
from penstock.layers import attention
from penstock.metrics.translation import KINDS
from penstock.models.translator import architecture
from penstock.text import PairCorpus, Preparation, SentenceTokeniser, pair_batch
from penstock.text.preparation import PRETOKENISE
from penstock.training import translation_settings as known
from penstock.training.links import read_links
from penstock.training.risk import expected_risk
from penstock.training.translation import TranslationSettings, build_model
from penstock.training.translation_losses import coverage_loss, guided_loss, own_words
from penstock.training.translation_task import TranslationTask
from penstock.training.vectors import _begin, read_vectors
from penstock.translation.scores import pair_losses
from tests.training.pairs_toy import SMALL, pairs

PLAIN = {"embedding_dropout": 0.0, "context_dropout": 0.0, "output_dropout": 0.0}


def corpora(number=37, kind="word"):
    prepared = Preparation("none")
    lines = pairs(number, 1)
    sides = [
        SentenceTokeniser.train((pair[side] for pair in lines), kind, preparation=prepared)
        for side in (0, 1)
    ]
    return PairCorpus.from_pairs(lines, tuple(sides)), PairCorpus.from_pairs(
        pairs(8, 2), tuple(sides)
    )


def task(**options):
    torch.manual_seed(1)
    settings = TranslationSettings(**(SMALL | options))
    train, valid = corpora(kind=settings.tokens)
    sizes = [side.tokeniser.vocab_size for side in (train.src, train.tgt)]
    model = build_model(settings, *sizes).double()
    return TranslationTask(model, settings, train, valid)


def test_names_known_without_pytorch_are_the_names_there_are():
    assert known.ATTENTIONS[1:] == attention.ATTENTIONS
    assert known.FORMS == attention.FORMS
    assert known.FIRST_STATES == architecture.FIRST_STATES
    assert known.TYINGS == architecture.TYINGS
    assert known.PRETOKENISE == PRETOKENISE
    assert set(known.METRICS) <= set(KINDS)


@pytest.mark.parametrize("limit", [{"batch_size": 5}, {"batch_tokens": 40}], ids=str)
def test_an_epoch_has_every_pair_once_in_an_order_of_its_own(limit):
    toy = task(**limit)
    orders = []
    for epoch in (0, 1, 0):
        toy.begin_epoch(epoch)
        assert len(toy.batches) == toy.updates_per_epoch
        orders.append([row for batch in toy.batches for row in batch.tolist()])
        assert sorted(orders[-1]) == list(range(37))
    assert orders[0] == orders[2] != orders[1]


def test_the_loss_is_the_mean_of_a_token():
    toy = task(**PLAIN)
    loss, tokens = toy.loss(0)
    rows = toy.batches[0]
    assert tokens == sum(len(toy.train.tgt[row]) for row in rows)
    total = 0.0
    for row in rows:
        one = pair_batch(toy.train, np.array([row]))
        features = toy.model(one.src, one.src_lengths, one.tgt_in)
        total += toy.model.losses(features, one.tgt_out).sum().item()
    assert loss.item() == pytest.approx(total / tokens)


def test_labels_are_smoothed_in_training_only():
    plain, smooth = task(**PLAIN), task(**PLAIN, smoothing=0.3)
    batch = pair_batch(plain.train, plain.batches[0])
    features = smooth.model(batch.src, batch.src_lengths, batch.tgt_in, batch.tgt_lengths)
    log_p = smooth.model.output.log_p(features.hidden)
    real = batch.tgt_out >= 0
    truth = -log_p.gather(-1, batch.tgt_out.clamp(min=0)[..., None])[..., 0]
    expected = (0.7 * truth - 0.3 * log_p.mean(-1))[real].sum()
    torch.testing.assert_close(smooth.model.loss(features, batch.tgt_out), expected)
    smooth.model.eval()
    torch.testing.assert_close(smooth.model.loss(features, batch.tgt_out), truth[real].sum())


def test_what_decides_is_bleu_or_the_loss():
    figures = {"loss": 2.0, "bleu": 30.0}
    assert task().criterion(figures) == -30.0
    assert task(choose="perplexity").criterion(figures) == 2.0


def test_validation_is_the_mean_over_all_tokens():
    toy = task()
    toy.model.eval()
    found = toy.validate()
    nats, tokens = map(sum, zip(*pair_losses(toy.model, toy.valid), strict=True))
    assert tokens == len(toy.valid.tgt.ids)
    assert found["loss"] == pytest.approx(nats / tokens)
    assert found["perplexity"] == pytest.approx(math.exp(nats / tokens))


def test_bpe_dropout_draws_other_pieces_in_each_epoch():
    toy = task(tokens="bpe", bpe_dropout=0.5, vocab_size=40, **PLAIN)
    losses = []
    for epoch in (0, 0, 1):
        toy.begin_epoch(epoch)
        losses.append([toy.loss(update)[1] for update in range(toy.updates_per_epoch)])
    assert losses[0] == losses[1] != losses[2]


def test_coverage_loss_counts_what_was_looked_at_before():
    alignment = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.0, 1.0]])[:, None]
    expected = min(0.6, 0.9) + min(0.4, 0.1) + min(0.0, 1.5) + min(1.0, 0.5)
    assert coverage_loss(alignment).item() == pytest.approx(expected)


def test_guided_loss_is_the_cross_entropy_of_the_links():
    alignment = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])[:, None]
    links = torch.tensor([[True, True, False], [False, False, False]])[:, None]
    expected = -(math.log(0.7) + math.log(0.2)) / 2
    assert guided_loss(alignment, links).item() == pytest.approx(expected)


def test_own_words_are_the_likeliest_ones_moved_on():
    toy = task(**PLAIN)
    batch = pair_batch(toy.train, toy.batches[0])
    features = toy.model(batch.src, batch.src_lengths, batch.tgt_in, batch.tgt_lengths)
    told = own_words(toy.model, features, batch.tgt_in, 0.999999)
    likeliest = toy.model.output.log_p(features.hidden).argmax(-1)
    assert torch.equal(told[0], batch.tgt_in[0])
    assert torch.equal(told[1:], likeliest[:-1])
    assert torch.equal(own_words(toy.model, features, batch.tgt_in, 0.0), batch.tgt_in)


@pytest.mark.parametrize(
    "options",
    [{"scheduled_sampling": 0.5}, {"coverage_loss": 1.0}, {"smoothing": 0.1}, {"risk": 3}],
    ids=str,
)
def test_what_is_added_changes_the_loss_and_has_a_gradient(options):
    plain, more = task(**PLAIN), task(**PLAIN, **options)
    for toy in (plain, more):
        toy.begin_epoch(1)
    losses = [toy.loss(0)[0] for toy in (plain, more)]
    assert losses[0].item() != pytest.approx(losses[1].item())
    losses[1].backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in more.model.parameters())
    assert more.model.output.weight.grad.abs().max() > 0


def test_minimum_risk_lowers_the_expected_error():
    toy = task(**PLAIN)
    batch, opt = pair_batch(toy.train, toy.batches[0]), torch.optim.Adam(toy.model.parameters())
    risks = []
    for _ in range(60):
        opt.zero_grad()
        risk = expected_risk(toy.model, batch, 6, 0, seed=3, sharpness=1.0)
        risk.backward()
        opt.step()
        risks.append(risk.item() / len(batch.rows))
    assert 0 < risks[-1] < risks[0] - 0.1 < 1


# -- files beside the pairs ------------------------------------------------------------------------


def test_links_of_words_are_links_of_all_their_tokens(tmp_path):
    file = tmp_path / "links"
    prepared = Preparation("none")
    lines = [("ab c", "x yz"), ("", ""), ("c", "x")]
    both = [
        SentenceTokeniser.train(
            [pair[side] for pair in lines] * 2, "bpe", preparation=prepared, vocab_size=260
        )
        for side in (0, 1)
    ]
    corpus = PairCorpus.from_pairs(lines, tuple(both))
    file.write_text("0-1 1-0\n\n0-0\n")
    found = read_links([file], corpus)
    spelt = [
        tokeniser.word_numbers(side[0][:-1].tolist())
        for tokeniser, side in zip(both, (corpus.src, corpus.tgt), strict=True)
    ]
    expected = {
        (i, j)
        for i, left in enumerate(spelt[0])
        for j, right in enumerate(spelt[1])
        if (left, right) in ((0, 1), (1, 0))
    }
    assert set(found[0]) == expected
    assert found[1] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0-0\n", "links: expected a line of links for each of 2 pairs, got 1"),
        ("0-0\n0-0\n\n", "links: expected a line of links for each of 2 pairs, got 3"),
        ("0-0\n0-1\n", "links:2: expected links of words that are there, got 0-1"),
        ("0-0\n0:0\n", "links:2: expected links such as 0-0 1-2, got '0:0'"),
    ],
)
def test_files_that_are_no_links(tmp_path, text, said):
    tokeniser = SentenceTokeniser.train(["a b"], "word", preparation=Preparation("none"))
    corpus = PairCorpus.from_pairs([("a", "b"), ("b", "a")], (tokeniser, tokeniser))
    file = tmp_path / "links"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        read_links([file], corpus)


def test_links_go_on_in_the_next_file_and_mistakes_are_named_there(tmp_path):
    tokeniser = SentenceTokeniser.train(["a b"], "word", preparation=Preparation("none"))
    corpus = PairCorpus.from_pairs([("a", "b"), ("b", "a")], (tokeniser, tokeniser))
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("0-0\n")
    second.write_text("0-0\n")
    assert read_links([first, second], corpus) == {0: [(0, 0)], 1: [(0, 0)]}
    second.write_text("x\n")
    with pytest.raises(DataError, match="second:1: expected links"):
        read_links([first, second], corpus)


@pytest.mark.parametrize("kind", ["word", "bpe", "character"])
def test_vectors_are_those_of_whole_words(kind, tmp_path):
    lines = ["man human a"] * 9
    tokeniser = SentenceTokeniser.train(
        lines, kind, vocab_size=270 if kind == "bpe" else None, preparation=Preparation("none")
    )
    embedding, file = torch.nn.Embedding(tokeniser.vocab_size, 2), tmp_path / "vectors"
    start = embedding.weight.detach().clone()
    file.write_text("man 1 2\na 3 4\n")
    _begin(embedding, tokeniser, file)
    words = {"man": [1, 2], "a": [3, 4]} if kind != "character" else {"a": [3, 4]}
    for word, vector in words.items():
        (id,) = tokeniser.encode(word)
        assert embedding.weight[id].tolist() == vector
    changed = (embedding.weight != start).any(1)
    assert changed.sum() == len(words)


def test_vectors_are_read_and_mistakes_named(tmp_path):
    file = tmp_path / "vectors"
    file.write_text("3 2\na 1 2\nb 3 4\nc x 5\n")
    found = read_vectors(file, {"a": 7, "z": 1}, 2)
    assert {number: vector.tolist() for number, vector in found.items()} == {7: [1.0, 2.0]}
    with pytest.raises(DataError, match=r"vectors:4: expected a word and numbers"):
        read_vectors(file, {"c": 0}, 2)
    with pytest.raises(DataError, match=r"vectors:2: expected 3 numbers .* Set embedding=2"):
        read_vectors(file, {"a": 0}, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attention": "none", "copying": True}, "expected an attention with copying"),
        ({"tying": "all", "joint": False}, "expected joint with tying='all'"),
        ({"tokens": "word", "bpe_dropout": 0.1}, "expected tokens='bpe' with bpe_dropout"),
        ({"shared": True}, "expected attention='none' with shared"),
        ({"hidden": "3,4", "layers": 2}, "expected layers of one width with attention"),
        ({"languages": "de"}, "expected languages as two of two letters"),
        ({"risk": 1}, "expected risk of 2 samples at least"),
        ({"risk_after": 2}, "expected risk with risk_after=2"),
        ({"reads_words": False, "scheduled_sampling": 0.1}, "reads_words with scheduled_sampling"),
        ({"attention": "additve"}, "Did you mean 'additive'"),
    ],
    ids=str,
)
def test_settings_that_contradict_each_other(options, said):
    with pytest.raises(ConfigError, match=said):
        TranslationSettings(**options)
