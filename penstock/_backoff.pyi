"""What tokens cost under an n-gram model: see ``native/backoff.cpp``."""

from collections.abc import Sequence

class Backoff:
    """The levels of a model, read where they lie."""

    def __init__(
        self,
        levels: Sequence[tuple[int, int, int, int, int]],
        words: Sequence[bytes],
        eos_id: int,
        unk_id: int,
        bos_id: int,
    ) -> None:
        """Levels as ``penstock.counting.core`` gives them; words in the order of their ids."""

    def scores(self, ids: int, size: int, scores: int, orders: int) -> None:
        """Write log10 p and the order found of (T,) int32 ids, all given by address."""

    def score(self, line: str) -> float:
        """log10 p of a line and its end."""
