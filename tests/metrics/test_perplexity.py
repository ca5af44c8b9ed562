"""Perplexity by its definition."""

from __future__ import annotations

import math

import pytest

from penstock.metrics import Perplexity


def test_lecture_definition_two_to_the_bits():
    """Lecture 002, equations 8 and 9, on three tokens of known probability."""
    probabilities = [0.5, 0.25, 0.125]
    found = Perplexity(nats=-sum(map(math.log, probabilities)), tokens=3, characters=12)
    assert found.bits_per_token == pytest.approx((1 + 2 + 3) / 3)
    assert found.perplexity == pytest.approx(2**2)
    assert found.perplexity == pytest.approx(math.prod(probabilities) ** (-1 / 3))
    assert found.bits_per_character == pytest.approx(6 / 12)


def test_uniform_model_costs_the_size_of_its_vocabulary():
    assert Perplexity(nats=7 * math.log(10_000), tokens=7).perplexity == pytest.approx(10_000)


def test_extremes_are_numbers_not_errors():
    assert Perplexity(nats=1e6, tokens=1).perplexity == math.inf
    assert math.isnan(Perplexity(nats=0.0, tokens=0).perplexity)
    assert math.isnan(Perplexity(nats=1.0, tokens=1).bits_per_character)
    assert math.isnan(Perplexity(nats=math.nan, tokens=1).perplexity)


def test_dict_has_every_figure_and_the_definition():
    record = Perplexity(nats=2.0, tokens=4, characters=9, unknown=1, context="sentence").as_dict()
    assert record["nats_per_token"] == 0.5
    assert "4 tokens" in record["signature"]
    assert "context: sentence" in record["signature"]
