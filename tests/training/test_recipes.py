"""Recipes: every key is a setting, and they make a model."""

from __future__ import annotations

import pytest
import torch

from penstock.errors import ConfigError, DataError
from penstock.training import translation
from penstock.training.language import LanguageSettings, build_model
from penstock.training.recipe import load_recipe, recipe_names, settings_from
from penstock.training.translation_settings import TranslationSettings

OF_TRANSLATORS = [name for name in recipe_names() if name.startswith("translation-")]
NAMES = sorted(set(recipe_names()) - set(OF_TRANSLATORS))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_makes_a_model(name):
    recipe = load_recipe(name)
    assert recipe.about.endswith(".")
    assert set(recipe.texts) == {"train", "valid", "test"}
    with torch.device("meta"):
        model = build_model(settings_from(LanguageSettings, recipe.settings), 10_000)
    assert sum(weight.numel() for weight in model.parameters()) > 0


@pytest.mark.parametrize("name", OF_TRANSLATORS)
def test_a_recipe_makes_a_translator(name):
    recipe = load_recipe(name)
    assert recipe.about.endswith(".")
    assert set(recipe.texts) >= {"train", "valid"}
    settings = settings_from(TranslationSettings, recipe.settings)
    with torch.device("meta"):
        model = translation.build_model(settings, settings.vocab_size, settings.vocab_size)
    assert sum(weight.numel() for weight in model.parameters()) > 0


def test_a_short_name_is_enough_where_no_other_has_it(tmp_path, monkeypatch):
    assert load_recipe("zaremba-small").settings == load_recipe("ptb-zaremba-small").settings
    for place in ("a/x.toml", "b/x.toml", "b/y.toml"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("layers = 2")
    monkeypatch.setattr("penstock.training.recipe.FOLDERS", (tmp_path,))
    assert load_recipe("y").settings == {"layers": 2}
    with pytest.raises(ConfigError, match="unknown recipe 'x'"):
        load_recipe("x")


@pytest.mark.parametrize(
    ("fields", "said"),
    [("[1]", r"got \[1\]"), ('"1,2"', "got '1,2'"), ("[1, 2.5]", "expected fields as two")],
)
def test_fields_that_are_not_two(tmp_path, fields, said):
    book = tmp_path / "book.toml"
    book.write_text(f"[texts]\nfields = {fields}\n")
    with pytest.raises(DataError, match=f"{book}: .*{said}"):
        load_recipe(str(book))


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
