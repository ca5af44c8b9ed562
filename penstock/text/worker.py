"""A process that tokenises: blocks of text come in, their ids and counts go out.

Its argument is the folder of the tokeniser.  On stdin each block is its length in bytes and its
UTF-8; on stdout each answer is the length of the ids in bytes, the counts of :class:`Statistics`,
and the ids.  Numbers are 8 bytes in the machine's own order.  It ends when its stdin does.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import astuple, fields

from penstock.text.statistics import Statistics
from penstock.text.tokenise import Tokeniser

__all__ = ["ANSWER", "BLOCK", "main"]

BLOCK = struct.Struct("=q")
ANSWER = struct.Struct(f"={1 + len(fields(Statistics))}q")


def main() -> None:
    """Answer until there is nothing more to read, or nobody left to answer."""
    tokeniser = Tokeniser.load(sys.argv[1])
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        while len(head := source.read(BLOCK.size)) == BLOCK.size:
            (size,) = BLOCK.unpack(head)
            if len(data := source.read(size)) < size:
                break
            text = data.decode()
            ids = tokeniser.encode_text(text)
            counts = Statistics.of(text, ids, tokeniser)
            sink.write(ANSWER.pack(ids.nbytes, *astuple(counts)))
            sink.write(ids.data)
            sink.flush()
    except BrokenPipeError:
        os._exit(0)  # Python's own exit would flush the pipe once more, and complain
