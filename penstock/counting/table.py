"""A hash table from keys to what is stored with them, built and asked for many keys at once.

Open addressing with linear probing.  A key is mixed to another number, one to one, whose leading
bits are its slot, and the mixed keys lie in rising order: so the table is made by sorting once, is
asked by whole-array operations, and can lie in a memory-mapped file.  An entry is 16 bytes, a
quarter of what a processor fetches at once.
"""

from __future__ import annotations

import numpy as np

from penstock.counting.vocabulary import Array

__all__ = ["EMPTY", "ENTRY", "Table", "pair"]

ENTRY = np.dtype([("key", "<u8"), ("place", "<i4"), ("log_p", "<f4")])
"""A mixed key, the place of its n-gram, and log10 p of that, so that it need not be fetched."""

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
"""The key of an empty slot; the last slot always is."""
ROOM = 1.75
"""Slots for each entry."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def pair(first: Array, second: Array) -> Array:
    """One key of two numbers from 0 to 2^32 - 2: (n,), (n,) -> (n,) uint64."""
    key: Array = first.astype(np.uint64)
    key <<= _HALF
    key |= second.astype(np.uint64)
    return key


class Table:
    """Place and log10 p of each key.

    Attributes:
        entries: (slots,) ENTRY; an empty slot has the key EMPTY and the place -1.
        start: slots that mixing reaches; the others catch what probing pushes past the end.

    >>> table = Table.of(np.array([7, 5, 9], np.uint64), np.zeros(3, np.float32))
    >>> table.find(np.array([9, 7, 6], np.uint64))["place"]
    array([ 2,  0, -1], dtype=int32)
    """

    def __init__(self, entries: Array, start: int) -> None:
        self.entries, self.start = entries, start

    @classmethod
    def of(cls, keys: Array, log_p: Array) -> Table:
        """The table of distinct keys, each at its index: (n,), (n,)."""
        start = int(ROOM * len(keys)) + 1
        mixed = _mixed(keys)
        order = np.argsort(mixed)
        mixed = mixed[order]
        # A key goes to its slot, or to the one after the key before it.
        step = np.arange(len(keys))
        slots = np.maximum.accumulate(_slots(mixed, start) - step) + step
        size = max(start, int(slots[-1]) + 1 if len(keys) else 0) + 1
        entries = np.full(size, np.array((EMPTY, -1, 0), ENTRY))
        entries["key"][slots], entries["place"][slots] = mixed, order
        entries["log_p"][slots] = log_p[order]
        return cls(entries, start)

    def find(self, keys: Array) -> Array:
        """The entry of each key: (n,) -> (n,) ENTRY, of place -1 for what is not there."""
        wanted = _mixed(keys)
        slots = _slots(wanted, self.start)
        found = self.entries.take(slots)
        later = np.flatnonzero(found["key"] < wanted)
        slots, key = slots.take(later), wanted.take(later)
        while len(later):  # those whose slot an earlier key has taken
            slots += 1
            following = self.entries.take(slots)
            found[later] = following
            on = following["key"] < key
            later, slots, key = later[on], slots[on], key[on]
        found["place"][found["key"] != wanted] = -1
        return found


def _mixed(keys: Array) -> Array:
    """Numbers whose leading bits look random, one for each key."""
    mixed = keys * _GOLDEN
    mixed ^= mixed >> _HALF
    mixed *= _GOLDEN
    return mixed


def _slots(mixed: Array, start: int) -> Array:
    """Where each mixed key is looked for first: (n,) int64."""
    slots = mixed >> _HALF
    slots *= np.uint64(start)
    slots >>= _HALF
    return slots.view(np.int64)
