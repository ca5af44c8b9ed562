"""Every smoothing method straight from its definition, with dictionaries, one n-gram at a time."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentences(seed: int, number: int) -> list[list[str]]:
    """Sentences over the letters; as in real text, most of them are rare."""
    draw = random.Random(seed)
    weights = [rank**-1.7 for rank in range(1, len(LETTERS) + 1)]
    return [draw.choices(LETTERS, weights, k=draw.randint(0, 9)) for _ in range(number)]


def ngrams(text: list[list[str]], order: int) -> list[Counter]:
    """Counts of the orders 0 (none), 1, ..., order; ``<s>`` is no unigram."""
    found = [Counter() for _ in range(order + 1)]
    for sentence in text:
        words = ["<s>", *sentence, "</s>"]
        for n in range(1, order + 1):
            for stop in range(max(n, 2), len(words) + 1):
                found[n][tuple(words[stop - n : stop])] += 1
    return found


class Naive:
    """p(w | h) of a method."""

    def __init__(self, text, order, method, style, *, delta=1.0, k=5):
        self.order, self.method, self.style = order, method, style
        self.vocabulary = ["</s>", "<unk>", *LETTERS]
        self.delta, self.k = delta, k
        raw = ngrams(text, order)
        self.counts = [dict(counter) for counter in raw]
        if method in ("kneser-ney", "modified-kneser-ney"):
            for n in range(1, order):
                before = Counter(longer[1:] for longer in raw[n + 1])
                for gram in raw[n]:
                    if gram[0] != "<s>":
                        self.counts[n][gram] = before[gram]
        self.p = cache(self._p)

    def n_r(self, n, r):
        return sum(count == r for count in self.counts[n].values())

    def discount(self, n, c):
        if c == 0 or self.method in ("maximum-likelihood", "add-delta", "witten-bell"):
            return 0.0
        n1, n2, n3, n4 = (self.n_r(n, r) for r in (1, 2, 3, 4))
        if self.method in ("absolute-discounting", "kneser-ney"):
            return n1 / (n1 + 2 * n2)
        if self.method == "modified-kneser-ney":
            y = n1 / (n1 + 2 * n2)
            return [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3][min(c, 3) - 1]
        assert self.method == "katz"
        if c > self.k:
            return 0.0
        share = (self.k + 1) * self.n_r(n, self.k + 1) / n1
        target = (c + 1) * self.n_r(n, c + 1) / self.n_r(n, c)
        return c * (1 - (target / c - share) / (1 - share))

    def _p(self, w, h):
        n, size = len(h) + 1, len(self.vocabulary)
        follow = {g[-1]: c for g, c in self.counts[n].items() if g[:-1] == h}
        if self.method == "add-delta":
            longest = n == self.order or h[:1] == ("<s>",)
            if not follow or not longest:
                return self.p(w, h[1:]) if h else 1 / size
            total = sum(follow.values())
            return (follow.get(w, 0) + self.delta) / (total + self.delta * size)
        shorter = {v: self.p(v, h[1:]) if h else 1 / size for v in self.vocabulary}
        if not follow:
            return shorter[w]
        total = sum(follow.values())
        taken = {v: self.discount(n, c) for v, c in follow.items()}
        extra = len(follow) if self.method == "witten-bell" else 0
        if self.method == "katz" and not sum(taken.values()):
            extra = 1
        share = {v: (c - taken[v]) / (total + extra) for v, c in follow.items()}
        left = (sum(taken.values()) + extra) / (total + extra)
        share = {v: part for v, part in share.items() if part > 0}
        if self.style == "interpolated":
            return share.get(w, 0) + left * shorter[w]
        unseen = 1 - sum(shorter[v] for v in share)
        if unseen < 1e-9:
            return share[w] / sum(share.values()) if w in share else 0.0
        return share[w] if w in share else left / unseen * shorter[w]
