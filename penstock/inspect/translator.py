"""A translator looked into: where it looks, what its search compares, where it puts sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from penstock.errors import ConfigError
from penstock.inspect.attention import Attention
from penstock.inspect.beam_tree import BeamTree
from penstock.search import Beam, Hypothesis, Tree, beam_search
from penstock.text import SentenceTokeniser, pad
from penstock.translation.finder import Finder
from penstock.translation.pool import check_tokens
from penstock.translation.system import System
from penstock.translation.translating import translate

__all__ = ["alignments", "encoder_states", "search_trees", "unknown_words"]


def alignments(
    systems: Sequence[System],
    lines: Sequence[str],
    options: Beam | None = None,
    *,
    words: bool = True,
) -> list[Attention]:
    """Where the translation that won looked, for each line that is not empty.

    Args:
        systems: one, or several that translate together.
        lines: raw sentences.
        options: of the search.
        words: whether pieces are put together to words: the attention to the pieces of a word is
            added up, that of the pieces of a target word is averaged.

    Raises:
        ConfigError: no system attends.
    """
    maps = []
    for found in translate(Finder(systems, options or Beam(), attention=True), lines):
        if not found.hypotheses:
            continue
        best = found.hypotheses[0]
        if best.attention is None:
            raise ConfigError(
                f"{systems[0].path}: expected a translator with attention, got one without. Train "
                "one with --attention additive."
            )
        maps.append(_attention(found.system, found.line, best, words))
    return maps


def search_trees(
    systems: Sequence[System], lines: Sequence[str], options: Beam | None = None
) -> list[BeamTree]:
    """The tree of the search for each line that is not empty; one for each group of a diverse beam.

    Raises:
        ConfigError: the systems do not predict the same tokens.
    """
    check_tokens(systems)
    options, target, trees = options or Beam(), systems[0].target, []
    for line in lines:
        rows = [system.encode([line]) for system in systems]
        if min(len(row[0]) for row in rows) < 2:
            continue
        model, _ = Finder(systems, options).model(rows)
        tree = Tree(target.eos_id)
        (found,) = beam_search(
            model,
            1,
            options,
            start_id=target.bos_id,
            eos_id=target.eos_id,
            recorder=tree,
        )
        winner = found[0].ids if found else []
        trees += [
            BeamTree(
                nodes,
                target.tokeniser.tokens,
                winner,
                target.eos_id,
                options.score(),
                line,
                space=" " if target.tokeniser.kind == "word" else "",
            )
            for nodes in tree.nodes.values()
        ]
    return trees


@torch.no_grad()
def encoder_states(system: System, lines: Sequence[str]) -> np.ndarray:
    """What the encoder ends with after each line, its directions side by side: (N, M)."""
    ids, lengths = pad(system.encode(lines), system.source.eos_id)
    summary = system.model.encode(ids, lengths).summary
    return np.asarray(summary.double().cpu().numpy())


def unknown_words(system: System, lines: Sequence[str]) -> list[str]:
    """Words of the lines that the encoder cannot tell apart, each once."""
    words = dict.fromkeys(word for line in lines for word in system.source.words(line))
    return [word for word in words if system.source.unk_id in system.source.encode(word)]


def _attention(system: System, line: str, best: Hypothesis, words: bool) -> Attention:
    ids = system.source.encode(line)
    across, columns = _side(system.source, ids, words)
    down, rows = _side(system.target, best.ids, words)
    if words:  # as the line has them, so that unknown ones can be read
        numbers, own = dict.fromkeys(system.source.word_numbers(ids)), system.source.words(line)
        across = [*(own[n] for n in numbers), across[-1]]
    weights = np.asarray(best.attention)[:, : len(ids) + 1].astype(np.float64)
    return Attention(across, down, rows.T / rows.sum(0)[:, None] @ weights @ columns)


def _side(
    tokeniser: SentenceTokeniser, ids: Sequence[int], words: bool
) -> tuple[list[str], np.ndarray]:
    """What stands along an axis, and which of it each token and the end belong to, (n, labels)."""
    names = tokeniser.tokeniser.tokens
    numbers = tokeniser.word_numbers(ids) if words else list(range(len(ids)))
    numbers = [*numbers, max(numbers, default=-1) + 1]
    labels = dict.fromkeys(numbers, "")
    for number, id in zip(numbers, [*ids, tokeniser.eos_id], strict=True):
        labels[number] += names[id].strip() if words else names[id]
    return list(labels.values()), np.equal.outer(numbers, list(labels)).astype(np.float64)
