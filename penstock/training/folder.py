"""The folder of a model: whose it is, and a language model read back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from penstock.errors import ConfigError
from penstock.models import store
from penstock.text.tokenise import FILE
from penstock.training.settings import TrainingSettings

__all__ = ["RESULTS", "claim", "describe"]

RESULTS = "results.json"
Origin = Mapping[str, Any]


def describe(
    folder: Path, model: Any, settings: TrainingSettings, texts: Origin, **more: Any
) -> None:
    """Write ``model.json``, for a model or for the class of one still to be made."""
    extra = {"settings": asdict(settings), "texts": texts, "penstock": version("penstock")}
    store.write_description(folder, model, extra | more)


def claim(
    folder: Path,
    kind: type,
    settings: TrainingSettings,
    texts: Origin,
    *,
    tokenisers: Sequence[str] = (FILE,),
) -> None:
    """Make the folder this run's, before anything else is written to it.

    A folder whose training never began (it was stopped while the text was tokenised, or refused a
    size) is taken over, whatever run it was to be.

    Args:
        kind: class of the model.
        tokenisers: files that such a run may have left.

    Raises:
        ConfigError: the folder holds another model or something else.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file. Give a folder for the model.")
    if not (folder / store.DESCRIPTION).exists():
        if folder.exists() and any(file.suffix != ".tmp" for file in folder.iterdir()):
            raise ConfigError(f"{folder}: is not empty and holds no model. Give another folder.")
        describe(folder, kind, settings, texts)
        return
    found = store.read_description(folder)
    if found["kind"] != kind.kind and found["model"] is not None:  # type: ignore[attr-defined]
        raise ConfigError(f"{folder}: holds a {found['kind']} model. Give another folder.")
    changed = _changed(found, settings, texts, done=(folder / RESULTS).exists())
    if changed and found["model"] is None:
        for file in tokenisers:
            with suppress(FileNotFoundError):
                (folder / file).unlink()
        describe(folder, kind, settings, texts)
    elif changed:
        raise ConfigError(
            f"{folder}: holds another model ({'; '.join(changed)}). "
            "Give another folder, or the settings it began with to go on."
        )


def _changed(
    found: Mapping[str, Any], settings: TrainingSettings, texts: Origin, *, done: bool
) -> list[str]:
    """What a run must not change and yet would, each as ``name old -> new``."""
    before = found.get("settings")
    changed = settings.changes(before if isinstance(before, dict) else {}, done=done).refused
    return changed if found.get("texts") == texts else [*changed, _text_change(found, texts)]


def _text_change(found: Mapping[str, Any], texts: Origin) -> str:
    return f"texts {_names(found.get('texts'))} -> {_names(texts)}"


def _names(origin: Any) -> str:
    try:
        files = [file for part in origin.values() for file in part]
        return ", ".join(f"{name} ({size:,} bytes)" for name, size in files)
    except (AttributeError, TypeError, ValueError):
        return "none"
