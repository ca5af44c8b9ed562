"""A progress bar on stderr for work of known length."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.progress import Progress

__all__ = ["bar", "counter"]


@contextmanager
def bar(title: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Give a function that is told how much has been done, and of how much.

    The bar appears when it is told first, on a terminal only, and is gone at the end.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, visible=False)
        yield lambda done, total: shown.update(task, completed=done, total=total, visible=True)


@contextmanager
def counter(title: str, *, quiet: bool = False) -> Iterator[Callable[[int], object]]:
    """Give a function that is told how much more has been done, of an unknown whole."""
    if quiet or not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TextColumn

    column = TextColumn("{task.description} {task.completed:,} lines, {task.speed} a second")
    with Bar(column, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda more: shown.update(task, advance=more)
