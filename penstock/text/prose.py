"""English prose that every Python carries: the language reference in ``pydoc_data.topics``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from penstock.files import write_changed

__all__ = ["python_prose", "write_prose"]

_WORD = re.compile(r"\w+(?:['’-]\w+)*|[.,;:!?()]")
_MARKUP = re.compile(r"\[\d+\]|[\"*`|]|[-=]{2,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_LEAST = 5
"""Words below which a line is a heading or an item of a list, not a sentence."""


def python_prose() -> list[str]:
    """Sentences of the reference, one a line: lower case, words and marks apart.

    What is indented as code and what holds few letters is left out.
    """
    from pydoc_data import topics

    texts: dict[str, str] = topics.topics
    sentences = [
        " ".join(_WORD.findall(sentence.lower()))
        for name in sorted(texts)
        for paragraph in _paragraphs(texts[name])
        for sentence in _SENTENCE.split(_MARKUP.sub(" ", paragraph))
    ]
    return list(dict.fromkeys(s for s in sentences if len(s.split()) >= _LEAST))


def write_prose(folder: Path) -> dict[str, Path]:
    """The prose as ``train.txt``, ``valid.txt`` and ``test.txt`` in a folder.

    Of every 20 sentences in a row one goes to valid and one to test.
    """
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for number, sentence in enumerate(python_prose()):
        parts[{9: "valid", 19: "test"}.get(number % 20, "train")].append(sentence)
    files = {part: folder / f"{part}.txt" for part in parts}
    for part, lines in parts.items():
        write_changed(files[part], "".join(line + "\n" for line in lines).encode())
    return files


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        words = paragraph.split()
        plain = sum(word.strip(',.;:()"*').isalpha() for word in words)
        code = paragraph.startswith("       ") or "::=" in paragraph or ">>>" in paragraph
        heading = "****" in paragraph or "====" in paragraph
        if words and not code and not heading and plain > 0.6 * len(words):
            yield " ".join(words)
