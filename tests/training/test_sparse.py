"""Sparse updates: the same weights as dense ones, and what they do not go with."""

from __future__ import annotations

import pytest
import torch

from penstock.errors import ConfigError
from penstock.text import Corpus, Tokeniser
from penstock.training import fit, seed_everything
from penstock.training.clip import clip_each, clip_norm, clip_value
from penstock.training.language import LanguageSettings, build_model, build_task

LINES = [" ".join(f"w{(i * j) % 11}" for j in range(2 + i % 4)) for i in range(30)]
SETTINGS = {"hidden": "5", "batch_size": 4, "k1": 6, "epochs": 2, "lr": 0.3, "samples": 4}


def weights(folder, **options):
    settings = LanguageSettings(**SETTINGS | options)
    tokeniser = Tokeniser.from_lines(LINES)
    corpus = Corpus.from_lines(LINES, tokeniser)
    seed_everything(1)
    model = build_model(settings, tokeniser.vocab_size)
    fit(build_task(model, settings, tokeniser, corpus, corpus), model, settings, folder)
    return model.state_dict()


@pytest.mark.parametrize("optimiser", ["sgd", "adagrad"])
@pytest.mark.parametrize(
    "options",
    [
        {"output": "sampled"},
        {"output": "nce", "tied": True, "embedding": 5},
        {"output": "hierarchical", "clip_value": 0.01},
        {"output": "full", "clip_norm": 0.1},
        {"output": "sampled", "clip_norm": 0.0, "clip_per_parameter": 0.05},
        {"output": "sampled", "cell": "window", "sentences": True},
    ],
    ids=str,
)
def test_the_same_weights_as_dense_updates(options, optimiser, tmp_path):
    dense = weights(tmp_path / "dense", optimiser=optimiser, **options)
    sparse = weights(tmp_path / "sparse", optimiser=optimiser, sparse=True, **options)
    assert dense.keys() == sparse.keys()
    for name, weight in dense.items():
        torch.testing.assert_close(sparse[name], weight, atol=1e-5, rtol=1e-4)


def test_gradients_hold_only_what_was_looked_at():
    options = {"output": "sampled", "sparse": True, "optimiser": "sgd"}
    settings = LanguageSettings(**SETTINGS | options)
    model = build_model(settings, 1000, torch.ones(1000, dtype=torch.long)).train()
    ids = torch.tensor([[3], [7], [3]])
    model.loss(model(ids)[0], ids).backward()
    assert model.embedding.weight.grad.coalesce().indices().tolist() == [[3, 7]]
    assert len(model.output.weight.grad.coalesce().values()) <= 2 + 4


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        (lambda grads: clip_norm(grads, 5.0), [1.5, 2.0]),
        (lambda grads: clip_value(grads, 1.0), [1.0, 1.0]),
        (lambda grads: clip_each({"E": grads[0]}, 2.5), [1.5, 2.0]),
    ],
    ids=["norm", "value", "each"],
)
def test_clipping_a_sparse_gradient(clip, expected):
    """3 and 4 in two rows of four: norm 5; with a dense 5 sqrt(3) the joint norm is 10."""
    grad = torch.sparse_coo_tensor([[2, 0, 2]], [[1.0], [4.0], [2.0]], (4, 1)).coalesce()
    clip([grad, torch.full((3,), 5.0)])
    assert grad.to_dense()[:, 0].tolist() == pytest.approx([expected[1], 0, expected[0], 0])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"optimiser": "adam"}, "got adam"),
        ({"optimiser": "asgd"}, "got asgd"),
        ({"optimiser": "sgd", "weight_decay": 0.1}, "got sgd and weight_decay"),
        ({"optimiser": "sgd", "ema": 0.9}, "got sgd and ema"),
    ],
    ids=str,
)
def test_what_moves_every_weight(options, named):
    with pytest.raises(ConfigError, match=named):
        build_model(LanguageSettings(sparse=True, **options), 7)
