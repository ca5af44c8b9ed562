"""Command-line options made from a dataclass of settings, so that each is written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from penstock.errors import ConfigError

__all__ = [
    "LARGEST",
    "FileList",
    "Json",
    "Out",
    "Quantise",
    "Quiet",
    "RecipeName",
    "Sentences",
    "Threads",
    "Weights",
    "flags",
    "folder_for",
    "print_json",
    "refuse",
    "use_threads",
    "weights_of",
    "with_settings",
]

LARGEST = 2**63 - 1
"""Largest whole number that PyTorch takes."""
_METAVARS = {bool: None, int: "N", float: "X", str: "TEXT"}

FileList = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="text file, plain, .gz or .xz; repeatable"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object for programs")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="folder for the model [runs/RECIPE]")]
Quantise = Annotated[
    str,
    typer.Option(metavar="FORM", help="hold a network's matrices in bfloat16 or int8"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
RecipeName = Annotated[str, typer.Option(metavar="NAME", help="settings by name, or a .toml file")]
Sentences = Annotated[bool, typer.Option("--sentences", help="every line stands alone")]
Weights = Annotated[str, typer.Option(metavar="A,B,...", help="weights of several models [equal]")]
Threads = Annotated[
    int,
    typer.Option(
        min=0,
        max=1024,
        metavar="N",
        help="processor threads (0: as PyTorch chooses)",
        show_default=False,
    ),
]


def with_settings(
    kind: type, *, without: Iterable[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one option for each field of a settings dataclass.

    The command receives those the user gave as a dict, in its parameter ``given``.

    Args:
        without: fields that the command has no use for.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(command).parameters.values()
            if parameter.name != "given"
        ]
        options = [_option(item) for item in _own_first(kind) if item.name not in without]
        names = {option.name for option in options}

        @wraps(command)
        def wrapped(**values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            given = {name: value for name, value in given.items() if value is not None}
            return command(**values, given=given)

        wrapped.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        del wrapped.__wrapped__
        wrapped.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
        return wrapped

    return decorate


def weights_of(text: str, count: int) -> list[float] | None:
    """What ``--weights`` gives each of the models; None when it is empty.

    Raises:
        ConfigError: it is no list of numbers, or not of so many.

    >>> weights_of("0.7,0.3", 2)
    [0.7, 0.3]
    """
    try:
        found = [float(part) for part in text.split(",")] if text else None
    except ValueError:
        found = []
    if found is not None and len(found) != count:
        raise ConfigError(f"weights: expected {count} number{'s' * (count > 1)}, got {text!r}.")
    return found


def flags(names: Iterable[str]) -> str:
    """Options as they are typed, of settings by their names.

    >>> flags(["beam", "top_k"])
    '--beam, --top-k'
    """
    return ", ".join("--" + name.replace("_", "-") for name in names)


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that have no effect beside the others.

    Args:
        context: of the command.
        names: of its parameters.
        why: they have none.

    Raises:
        ConfigError: the user typed some of them.
    """
    if given := [name for name in names if _typed(context, name)]:
        raise ConfigError(f"{context.info_name}: expected no {flags(given)}: {why}.")


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def folder_for(kind: str, out: Path | None, recipe: str) -> Path:
    """The folder that ``train KIND`` leaves its model in.

    Raises:
        ConfigError: neither a folder nor a recipe is named.
    """
    if out is None and not recipe:
        raise ConfigError(f"train {kind}: expected --out DIR, the folder for the model.")
    return out or Path("runs") / Path(recipe).stem


def use_threads(threads: int) -> None:
    """Compute with so many threads, if a number is given."""
    if threads:
        import torch

        torch.set_num_threads(threads)


def print_json(record: Mapping[str, Any]) -> None:
    """One object on one line of stdout."""
    from penstock.training.card import json_text

    print(json_text(record))


def _own_first(kind: type) -> list[Field[Any]]:
    """The fields of a dataclass, those it adds to its bases before theirs."""
    named = [name for part in kind.__mro__ for name in inspect.get_annotations(part)]
    return sorted(fields(kind), key=lambda item: named.index(item.name))


def _option(item: Field[Any]) -> inspect.Parameter:
    kind = type(item.default)
    flag = flags([item.name])
    names = [f"{flag}/--no{flag[1:]}"] if kind is bool else [flag]
    choices = item.metadata.get("choices")
    parts = [item.metadata["help"], f": {', '.join(sorted(choices))}" if choices else ""]
    parts += [] if kind is bool else [f" [{item.default}]"]
    info = typer.Option(*names, help="".join(parts), show_default=False, metavar=_METAVARS[kind])
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, info],
    )
