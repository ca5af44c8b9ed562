"""Losses by frequency and by position, against the plain reading of a text and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from penstock.inspect.breakdown import by_frequency, by_position, places, read_losses
from penstock.scoring.losses import sentence_losses, token_losses
from penstock.text import sentences
from penstock.training.language import token_counts

EOS = 0
IDS = np.random.default_rng(0).integers(0, 11, 103).astype(np.uint8)


def test_one_stream_reads_like_token_losses(make_model):
    model = make_model("lstm", num_layers=2)
    expected = token_losses(model, IDS, EOS)
    np.testing.assert_allclose(read_losses(model, IDS, EOS, streams=1), expected, rtol=1e-10)


def test_each_stream_reads_on_from_the_token_before_it(make_model):
    model = make_model("gru")
    losses = read_losses(model, IDS, EOS, streams=4)
    assert len(losses) == 100
    for stream in range(4):
        part = slice(25 * stream, 25 * (stream + 1))
        before = IDS[part.start - 1] if stream else EOS
        expected = token_losses(model, IDS[part], before)
        np.testing.assert_allclose(losses[part], expected, rtol=1e-10)


def test_sentences_that_stand_alone(make_model):
    """The same text, sentence by sentence from the first state."""
    model = make_model("lstm", learn_state=True)
    for name, parameter in model.named_parameters():
        if "learnt" in name:
            torch.nn.init.normal_(parameter)
    losses = read_losses(model, IDS, EOS, streams=1, anew=EOS)
    total, tokens = 0.0, 0
    for inputs, targets, lengths in sentences(IDS, EOS, 1, seed=1, epoch=0):
        total += float(sentence_losses(model, inputs, targets, lengths).sum())
        tokens += int(lengths.sum())
    assert tokens == len(losses)
    assert losses.sum() == pytest.approx(total, rel=1e-10)


def test_more_streams_than_tokens(make_model):
    model = make_model("elman")
    assert len(read_losses(model, IDS[:3], EOS, streams=20)) == 3
    assert model.training


def test_counts_of_a_text_in_the_smallest_type():
    ids = np.array([200, 200, 3, 255], np.uint8)
    counts = token_counts(ids, 300)
    assert counts.shape == (300,)
    assert {int(i): int(counts[i]) for i in np.flatnonzero(counts)} == {3: 1, 200: 2, 255: 1}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([5, 6, 0, 7, 0, 0, 8], [1, 2, 3, 1, 2, 1, 1]),
        ([0, 5], [1, 1]),
        ([5, 5, 5], [1, 2, 3]),
    ],
)
def test_positions_in_the_sentence(ids, expected):
    assert places(np.array(ids), EOS).tolist() == expected


def test_buckets_of_frequency():
    """Each token id t of 0..7 costs t nats; the buckets are those of its training count."""
    counts = np.array([0, 1, 9, 10, 99, 100, 999, 1000])
    ids = np.array([0, 1, 2, 3, 4, 5, 6, 7, 7])
    buckets = by_frequency(ids, ids.astype(float), counts, None)
    assert {label: (bucket.tokens, bucket.nats) for label, bucket in buckets.items()} == {
        "0": (1, 0),
        "1–9": (2, 3),
        "10–99": (2, 7),
        "100–999": (2, 11),
        "1k–10k": (2, 14),
    }
    assert buckets["10–99"].perplexity == pytest.approx(math.exp(3.5))


def test_unknown_words_have_their_own_bucket():
    counts = np.array([50, 50])
    buckets = by_frequency(np.array([0, 1, 1]), np.array([1.0, 2.0, 4.0]), counts, 1)
    assert list(buckets) == ["unknown", "10–99"]
    assert buckets["unknown"].perplexity == pytest.approx(math.exp(3))
    assert buckets["10–99"].tokens == 1


def test_buckets_of_position():
    nats, positions = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([1, 2, 3, 4, 9, 40])
    single = by_position(nats, positions, last=4)
    assert {first: bucket.nats for first, bucket in single.items()} == {1: 1, 2: 2, 3: 3, 4: 15}
    double = by_position(nats, positions, last=3, width=2)
    assert {first: bucket.nats for first, bucket in double.items()} == {1: 3, 3: 7, 5: 11}


def test_buckets_lose_no_token():
    nats = np.random.default_rng(1).random(len(IDS))
    frequency = by_frequency(IDS, nats, token_counts(IDS, 11), 1)
    position = by_position(nats, places(IDS, EOS))
    for buckets in (frequency, position):
        assert sum(bucket.tokens for bucket in buckets.values()) == len(IDS)
        assert sum(bucket.nats for bucket in buckets.values()) == pytest.approx(nats.sum())
