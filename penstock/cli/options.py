"""Command-line options made from a dataclass of settings, so that each is written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

__all__ = ["FileList", "Json", "Quiet", "Threads", "use_threads", "with_settings"]

FileList = Annotated[
    list[Path] | None, typer.Option(help="text file, plain, .gz or .xz; repeatable")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object for programs")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]
Threads = Annotated[int, typer.Option(min=0, help="processor threads (0: as PyTorch chooses)")]


def with_settings(kind: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one option for each field of a settings dataclass.

    The command receives those the user gave as a dict, in its parameter ``given``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(command).parameters.values()
            if parameter.name != "given"
        ]
        options = [_option(item) for item in fields(kind)]
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


def use_threads(threads: int) -> None:
    """Compute with so many threads, if a number is given."""
    if threads:
        import torch

        torch.set_num_threads(threads)


def _option(item: Any) -> inspect.Parameter:
    kind = type(item.default)
    flag = "--" + item.name.replace("_", "-")
    names = [f"{flag}/--no{flag[1:]}"] if kind is bool else [flag]
    shown = item.default if item.default != "" else "none"
    info = typer.Option(*names, help=f"{item.metadata['help']} [{shown}]", show_default=False)
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, info],
    )
