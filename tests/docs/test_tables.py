"""Tables of the documents against the package: functions, cells, options, lectures."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
import torch
import typer
from scipy.special import erf

from penstock.cli.main import app
from penstock.engines.stages import COMPUTE
from penstock.equations.functions import FUNCTIONS
from penstock.training.language import LanguageSettings
from penstock.training.translator_card import _row
from tests.docs.documents import ROOT, read, rows, section
from tests.docs.tables import PAGE, with_table

EQUATIONS, LECTURES = ROOT / "docs" / "equations.md", ROOT / "docs" / "lectures.md"
KINDS = {
    "Functions": {"elementwise"},
    "Of a whole row of units": {"reduction", "scalar reduction"},
    "Random ones": {"random"},
    "Looking at a source": {"source"},
}
APART = ("random", "source")
"""Kinds whose definition is no formula of an array."""
MATHEMATICS = {
    **{
        f.__name__: f for f in (np.cos, np.exp, np.log, np.mean, np.sin, np.sqrt, np.square, np.sum)
    },
    **{f.__name__: f for f in (np.tanh, np.maximum, np.minimum, erf, abs, len)},
}


def functions(heading: str) -> dict[str, list[str]]:
    """Name to the other cells of its row."""
    found = {}
    for first, *rest in rows(section(EQUATIONS, heading)):
        if first.startswith("`"):
            found[re.match(r"`(\w+)", first)[1]] = rest
    return found


@pytest.mark.parametrize("heading", KINDS)
def test_every_function_is_in_its_table(heading):
    expected = {name: f.operands for name, f in FUNCTIONS.items() if f.kind in KINDS[heading]}
    table = functions(heading)
    if heading == "Random ones":
        assert set(table) == set(expected)
    else:
        assert {name: int(values) for name, (values, _) in table.items()} == expected


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.kind not in APART])
def test_definition_is_what_the_engine_computes(name):
    definition = (functions("Functions") | functions("Of a whole row of units"))[name][1]
    a, b = np.array([0.3, -1.7, 2.5, -0.2, 4.0]), np.array([0.1, 2.0, -3.0, 0.4, 4.5])
    if name in ("log", "sqrt"):
        a = abs(a)
    values = [torch.from_numpy(value) for value in (a, b)[: FUNCTIONS[name].operands]]
    found = COMPUTE[name](*values).numpy()
    expected = eval(definition.strip("`"), {"__builtins__": {}, "a": a, "b": b, **MATHEMATICS})
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-12)


def test_table_of_cells_is_of_today():
    text = read(PAGE)
    assert with_table(text) == text, "run python -m tests.docs.tables"


def test_every_option_of_training_is_explained_with_its_default():
    table = {
        cells[0].strip("`"): cells[1]
        for cells in rows(read(ROOT / "docs" / "language-models.md"))
        if cells[0].startswith("`--")
    }
    settings = fields(LanguageSettings)
    assert table == {"--" + f.name.replace("_", "-"): str(f.default) for f in settings}


def test_every_option_of_translate_is_explained():
    command = typer.main.get_command(app).commands["translate"]
    common = {"--threads", "--quiet", "--json", "--help"}
    options = {option.opts[0] for option in command.params if option.opts[0].startswith("--")}
    text = section(ROOT / "docs" / "translation.md", "Search")
    assert options - common <= set(re.findall(r"`(--[\w-]+)", text))


def test_bars_of_a_signature_stay_in_their_cell_of_a_card():
    line = _row("test", "BLEU", 38.314, "nrefs:1|case:lc|eff:no")
    assert list(rows(line)) == [["test", "BLEU", "38.31", r"nrefs:1\|case:lc\|eff:no"]]


@cache
def functions_in(file: str) -> dict[str, str]:
    """Name of every test of a file to the file's text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return {
        node.name: text
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named(pattern: str) -> list[str]:
    """What the table of lectures names in code, and matches."""
    return sorted(
        {code for code in re.findall(r"`([^`]+)`", read(LECTURES)) if re.match(pattern, code)}
    )


@pytest.mark.parametrize("code", named(r"penstock\."))
def test_function_of_a_lecture_exists(code):
    parts, found = code.split("."), None
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        break
    for part in parts[cut:]:
        found = getattr(found, part)
    assert inspect.isfunction(found) or inspect.isclass(found) or isinstance(found, property), code


@pytest.mark.parametrize("code", named(r"tests/"))
def test_test_of_a_lecture_exists(code):
    file, _, test = code.partition("::")
    function, _, case = test.rstrip("]").partition("[")
    source = functions_in(file)[function]
    assert f'"{case}"' in source


def test_what_is_built_has_a_function_and_a_test():
    built, _, _ = read(LECTURES).partition("## Later")
    entries = [cells for cells in rows(built) if len(cells) == 3 and cells[0] != "what"]
    assert len(entries) > 50
    for cells in entries:
        assert re.search(r"`penstock\.", cells[1]), cells
        assert re.search(r"`tests/", cells[2]), cells
