"""Recipes of language models: every key is a setting, and they make a model."""

from __future__ import annotations

import pytest
import torch

from penstock.training.language import LanguageSettings, build_model
from penstock.training.recipe import load_recipe, recipe_names, settings_from

NAMES = [name for name in recipe_names() if not name.startswith("translation-")]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_makes_a_model(name):
    recipe = load_recipe(name)
    assert recipe.about.endswith(".")
    assert set(recipe.texts) == {"train", "valid", "test"}
    with torch.device("meta"):
        model = build_model(settings_from(LanguageSettings, recipe.settings), 10_000)
    assert sum(weight.numel() for weight in model.parameters()) > 0


def test_gated_feedback_is_compared_at_equal_sizes():
    """The six models of ``ptb-char`` differ by at most 1 % in parameters within a unit."""
    recipe = load_recipe("ptb-char")
    for stack, gated in (
        ({"cell": "lstm", "hidden": 112}, {"cell": "lstm", "hidden": 98}),
        ({"cell": "gru-pytorch", "hidden": 128}, {"cell": "gru", "hidden": 109}),
        ({"cell": "elman", "hidden": 224}, {"cell": "elman", "hidden": 152}),
    ):
        sizes = []
        for own in (stack, gated | {"feedback": True}):
            with torch.device("meta"):
                model = build_model(settings_from(LanguageSettings, recipe.settings, own), 51)
            sizes.append(sum(weight.numel() for weight in model.parameters()))
        assert sizes[1] == pytest.approx(sizes[0], rel=0.01)
