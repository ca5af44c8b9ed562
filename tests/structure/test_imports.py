"""The house's rules: rooms import one way, modules say what they offer, files stay small."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import penstock

ROOT = Path(penstock.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

BASE = {"errors", "registry"}
MAY_IMPORT = {
    # room: the rooms it may import from, besides itself; what is not named here is free.
    "errors": set(),
    "registry": {"errors"},
    "files": {"errors"},
    "storage": {"errors", "files"},
    "equations": BASE,
    "cells": BASE | {"equations"},
    "engines": BASE | {"equations", "_native"},
    "layers": BASE | {"equations", "cells", "engines"},
    "models": BASE | {"equations", "cells", "engines", "layers", "files", "storage"},
    "text": BASE | {"files"},
    "metrics": BASE,
    "counting": BASE | {"files", "_backoff"},
}
ABOVE = {"__main__", "cli", "inspect", "serve"}


def room(path: Path) -> str:
    """The first folder, or the module at the top."""
    return path.parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of the package that a module imports, even inside functions."""
    names = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "penstock":
            names += [f"penstock.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append("." * node.level + (node.module or ""))
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "penstock" and len(part) > 1}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_one_way(path):
    own, rooms = room(path), imported_rooms(path)
    if own in MAY_IMPORT:
        assert rooms - {own} <= MAY_IMPORT[own]
    elif own not in ABOVE:
        assert rooms.isdisjoint(ABOVE)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_all_is_present_and_true(path):
    if path.name in ("__main__.py",) or path == Path("__init__.py"):
        return
    name = ".".join(("penstock", *path.with_suffix("").parts)).removesuffix(".__init__")
    module = importlib.import_module(name)
    if path.name == "__init__.py" and not hasattr(module, "__all__"):
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 2
        return
    assert [entry for entry in module.__all__ if not hasattr(module, entry)] == []
    assert module.__all__ == sorted(set(module.__all__), key=_as_ruff_sorts)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_file_is_small(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 400
