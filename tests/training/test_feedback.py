"""Gated feedback as a setting of a language model."""

from __future__ import annotations

import pytest
import torch

from penstock.errors import ConfigError
from penstock.layers.feedback import feedback_equations, gated_feedback
from penstock.models import store
from penstock.training.language import LanguageSettings, build_model


@pytest.mark.parametrize(("cell", "unit"), [("elman", "tanh"), ("gru", "gru"), ("lstm", "lstm")])
def test_the_layers_are_one_gated_stack(cell, unit, tmp_path):
    settings = LanguageSettings(cell=cell, layers=3, hidden="5", embedding=4, feedback=True)
    torch.manual_seed(1)
    model = build_model(settings, 7)
    layer = gated_feedback(unit, 4, 5, 3)
    layer.load_state_dict(model.recurrent.state_dict())
    ids = torch.randint(7, (6, 2))
    assert torch.equal(model(ids)[0], layer(model.embedding(ids))[0])
    store.write_description(tmp_path, model, {})
    store.save_weights(tmp_path, model)
    assert torch.equal(store.load_model(tmp_path)(ids)[0], model(ids)[0])
    assert (
        f"g_1_3 = {feedback_equations(unit, 3).split('g_1_3 = ')[1].split('  ')[0]}"
        in (model.config()["equations"])
    )


@pytest.mark.parametrize(
    "options",
    [{"cell": "nas"}, {"hidden": "5,6", "layers": 2}, {"context": 3}, {"cell": "window"}],
    ids=str,
)
def test_what_has_no_feedback(options):
    with pytest.raises(ConfigError, match="expected cell elman, gru, lstm and one hidden size"):
        build_model(LanguageSettings(**{"feedback": True, "hidden": "5"} | options), 7)
