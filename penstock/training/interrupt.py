"""Ctrl-C as a wish to stop, heard between two updates."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C is only remembered and the second one raises KeyboardInterrupt.

    Yields a function that says whether there was one.  Signals reach the main thread alone; in
    another thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.getsignal(signal.SIGINT)
    heard: list[int] = []

    def remember(number: int, frame: Any) -> None:
        heard.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(heard)
    finally:
        signal.signal(signal.SIGINT, before)
