"""Tokenising the blocks of a long text in several processes, in their order.

The processes are :mod:`penstock.text.worker`, talked to through pipes: they import no PyTorch,
need nothing of the caller's main module, and end by themselves when the caller is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import numpy as np

from penstock.errors import DataError
from penstock.text.statistics import Statistics
from penstock.text.tokenise import Ids, Tokeniser
from penstock.text.worker import ANSWER, BLOCK

__all__ = ["encoded", "process_count"]

LONG = 1 << 25
"""Bytes from which a text is worth the start of processes."""
MOST = 8
"""Processes at most: the reader feeds no more."""
ENTRIES = 2_000_000
"""Entries of the vocabulary that all processes together hold at most, half a kilobyte each."""
Encoded = tuple[Ids, Statistics]
_ROOM = str(Path(__file__).parents[2])
_PROGRAM = "from penstock.text.worker import main; main()"


def process_count(size: int, vocab_size: int) -> int:
    """How many processes suit a text of ``size`` bytes; 1 means the caller's own."""
    if size < LONG:
        return 1
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(free, MOST, ENTRIES // vocab_size))


def encoded(
    blocks: Iterable[str], tokeniser: Tokeniser, processes: int = 1
) -> Generator[Encoded, None, None]:
    """The ids and the counts of each block, in the order of the blocks.

    No more blocks are read ahead than keep the processes busy.  Close the iterator when it is left
    early: that ends the processes.

    Raises:
        DataError: when a process cannot be started, or dies.
    """
    if processes < 2:
        for text in blocks:
            ids = tokeniser.encode_text(text)
            yield ids, Statistics.of(text, ids, tokeniser)
        return
    pending: deque[Future[Encoded]] = deque()
    with ThreadPoolExecutor(processes) as threads, _started(tokeniser, processes) as idle:
        try:
            for text in blocks:
                pending.append(threads.submit(_ask, idle, text, tokeniser))
                if len(pending) > 2 * processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


Process = subprocess.Popen[bytes]


@contextmanager
def _started(tokeniser: Tokeniser, number: int) -> Iterator[SimpleQueue[Process]]:
    """Processes that wait for a block; they are ended on leaving."""
    idle: SimpleQueue[Process] = SimpleQueue()
    processes: list[Process] = []
    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as folder:
        tokeniser.save(folder)
        try:
            for _ in range(number):
                processes.append(_start(folder))
                idle.put(processes[-1])
            yield idle
        finally:
            for process in processes:
                process.kill()
                with suppress(OSError):  # what is left in a pipe has no reader any more
                    process.communicate()


def _start(folder: str) -> Process:
    path = os.pathsep.join(filter(None, [_ROOM, os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **own},
            start_new_session=True,  # Ctrl-C is for the caller, who then ends the processes
        )
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"text: a process that tokenises cannot be started ({reason}).") from error


def _ask(idle: SimpleQueue[Process], text: str, tokeniser: Tokeniser) -> Encoded:
    """What an idle process answers to a block."""
    process = idle.get()
    assert process.stdin is not None
    assert process.stdout is not None
    data = text.encode()
    try:
        process.stdin.write(BLOCK.pack(len(data)))
        process.stdin.write(data)
        process.stdin.flush()
        head = process.stdout.read(ANSWER.size)
        if len(head) == ANSWER.size:
            size, *counts = ANSWER.unpack(head)
            ids = np.frombuffer(process.stdout.read(size), tokeniser.dtype)
            if ids.nbytes == size:
                return ids, Statistics(*counts)
    except (OSError, ValueError) as error:
        raise _died(process) from error
    finally:
        idle.put(process)
    raise _died(process)


def _died(process: Process) -> DataError:
    return DataError(
        f"text: a process that tokenises ended early (status {process.wait()}). "
        "Make sure that memory is free and run the same command again."
    )
