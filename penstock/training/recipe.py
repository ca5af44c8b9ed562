"""Recipes: settings that reproduce a known number, one TOML file each."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from penstock.errors import ConfigError, DataError, unknown

__all__ = ["Recipe", "find_data", "load_recipe", "recipe_names", "settings_from"]

_HERE = Path(__file__).resolve().parent.parent
FOLDERS = (_HERE / "recipes", _HERE.parent / "recipes")
"""Where recipes lie: inside an installed package, or beside it in a checkout."""
_LARGEST = 2**63 - 1
_PARTS = ("train", "valid", "test")
DATA_FOLDERS = ("data", "../shared/data", "../data")
"""Where data is looked for when $PENSTOCK_DATA does not say."""


@dataclass(frozen=True)
class Recipe:
    """What a recipe holds.

    Attributes:
        name: its file's place, ``ptb-zaremba-small`` for ``ptb/zaremba-small.toml``.
        about: what it reproduces.
        texts: "train", "valid" and "test" to files, relative to the data folder; for sentence
            pairs the source's and the target's, or one file of pairs.
        fields: where source and target stand in files of pairs, as
            :class:`penstock.text.PairFiles` has it.
        settings: setting to value.
    """

    name: str
    about: str
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[str, str] | None = None


def recipe_names() -> dict[str, Path]:
    """Every recipe's name and file."""
    return {
        "-".join(file.relative_to(folder).with_suffix("").parts): file
        for folder in FOLDERS
        for file in sorted(folder.rglob("*.toml"))
    }


def load_recipe(name: str) -> Recipe:
    """The recipe with a name, or in a TOML file.

    Args:
        name: the whole name, or that of the file where no other has it: ``zaremba-small``.

    Raises:
        ConfigError: there is no such recipe.
        DataError: the file is no recipe.
    """
    known = recipe_names()
    short = [path for path in known.values() if path.stem == name]
    path = known.get(name) or (short[0] if len(short) == 1 else None)
    path = Path(name) if name.endswith(".toml") else path
    if path is None:
        raise unknown("recipe", "recipe", name, known)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a recipe ({error}).") from error
    texts = content.pop("texts", {})
    fields = texts.pop("fields", None) if isinstance(texts, dict) else None
    if not isinstance(texts, dict) or not all(map(_is_files, texts.values())):
        raise DataError(f"{path}: expected [texts] with the name of a file for each, got {texts}.")
    texts = {part: [file] if isinstance(file, str) else file for part, file in texts.items()}
    for part in texts.keys() - set(_PARTS):
        raise unknown(str(path), "text", part, _PARTS)
    return Recipe(name, str(content.pop("about", "")), texts, content, _fields(path, fields))


def find_data(path: str) -> Path:
    """A file as named, or in the data folder ($PENSTOCK_DATA, ./data or ../shared/data)."""
    folders = [os.environ["PENSTOCK_DATA"]] if "PENSTOCK_DATA" in os.environ else DATA_FOLDERS
    for candidate in [Path(path), *(Path(folder) / path for folder in folders)]:
        if candidate.exists():
            return candidate
    raise DataError(
        f"{path}: does not exist, here or in {', '.join(map(str, folders))}. "
        "Set PENSTOCK_DATA to the folder that holds it, or give the files yourself."
    )


def settings_from(kind: type, *layers: Mapping[str, Any]) -> Any:
    """Settings from defaults, then each layer of values on top (a recipe, the command line).

    Raises:
        ConfigError: a name is no setting, or a value has the wrong type.
    """
    types = {item.name: type(item.default) for item in fields(kind)}
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in types:
                raise unknown(kind.__name__, "setting", name, types)
            values[name] = _coerced(kind.__name__, name, value, types[name])
    return kind(**values)


def _coerced(owner: str, name: str, value: Any, wanted: type) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is str and isinstance(value, list):
        return ",".join(map(str, value))
    if wanted is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ConfigError(f"{owner}: expected {name} as {wanted.__name__}, got {name}={value!r}.")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ConfigError(f"{owner}: expected {name} up to {_LARGEST}, got {name}={value}.")
    return value


def _fields(path: Path, fields: Any) -> tuple[str, str] | None:
    """Where source and target stand, if a recipe says it."""
    if fields is None:
        return None
    if not isinstance(fields, list) or [type(one) in (int, str) for one in fields] != [True] * 2:
        raise DataError(f"{path}: expected fields as two columns or keys, got {fields!r}.")
    return str(fields[0]), str(fields[1])


def _is_files(value: Any) -> bool:
    """Whether it is the name of a file, or of two."""
    names = [value] if isinstance(value, str) else value
    return (
        isinstance(names, list)
        and 1 <= len(names) <= 2
        and all(isinstance(name, str) for name in names)
    )
