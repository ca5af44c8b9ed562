"""The house's rules: rooms import one way, modules say what they offer, files stay small."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import penstock

ROOT = Path(penstock.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

BASE = {"caching", "errors", "registry"}
MAY_IMPORT = {
    # room: the rooms it may import from, besides itself; what is not named here is free.
    "caching": set(),
    "errors": set(),
    "registry": {"errors"},
    "files": {"errors"},
    "progress": set(),
    "storage": {"errors", "files"},
    "equations": BASE,
    "cells": BASE | {"equations"},
    "engines": BASE | {"equations", "_native"},
    "layers": BASE | {"equations", "cells", "engines"},
    "models": BASE | {"equations", "cells", "engines", "layers", "files", "storage"},
    "text": BASE | {"files", "progress"},
    "metrics": BASE,
    "counting": BASE | {"files", "progress", "_backoff"},
    "search": BASE | {"files", "text"},
    "scoring": BASE | {"progress", "layers", "models", "text", "metrics", "counting", "search"},
    "translation": BASE | {"progress", "storage", "models", "text", "metrics", "search"},
}
REFERENCE = re.compile(r":(?:class|func|data|mod|meth|attr):`~?([\w.]+)`")
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


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_references_lead_somewhere(path):
    """What docstrings point at is there: ``:func:`penstock.text.resolve```, ``:class:`System```."""
    name = ".".join(("penstock", *path.with_suffix("").parts)).removesuffix(".__init__")
    if path.name == "__main__.py":
        return
    module = importlib.import_module(name)
    references = REFERENCE.findall((ROOT / path).read_text(encoding="utf-8"))
    assert [one for one in references if not _leads(one, module)] == []


def _leads(reference: str, module: object) -> bool:
    """Whether a dotted name can be followed, from the package or from a module and its classes."""
    places: list[object] = [module, *(v for v in vars(module).values() if isinstance(v, type))]
    if reference.startswith("penstock."):
        places, reference = [penstock], reference.removeprefix("penstock.")
    return any(_followed(place, reference.split(".")) for place in places)


def _followed(place: object, parts: list[str]) -> bool:
    for number, part in enumerate(parts):
        if isinstance(place, ModuleType) and not hasattr(place, part):
            try:
                importlib.import_module(f"{place.__name__}.{part}")
            except ModuleNotFoundError:
                return False
        if not hasattr(place, part):
            # the last part may be a field without a default, which is an annotation only
            fields = getattr(place, "__annotations__", {})
            return number == len(parts) - 1 and part in fields
        place = getattr(place, part)
    return True


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_file_is_small(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 400
