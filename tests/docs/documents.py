"""Reading the documents: blocks of code, tables and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_RULE = re.compile(r"\|[\s:|-]+\|")


class Block(NamedTuple):
    """A fenced block: its language, its text and the line of its first character."""

    language: str
    text: str
    line: int


def name(path: Path) -> str:
    """How a document is called in the results of the tests."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    """The text of a document; empty when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = read(path)
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(text)
    ]


def links(path: Path) -> list[str]:
    """Targets of the links and pictures outside of code."""
    return _LINK.findall(_FENCE.sub("", read(path)))


def anchors(path: Path) -> set[str]:
    """What ``document.md#...`` can point at, as GitHub names headings."""
    headings = _HEADING.findall(_FENCE.sub("", read(path)))
    return {
        re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of the tables in a text, but for the rules under their heads."""
    for line in _FENCE.sub("", text).splitlines():
        if line.startswith("|") and not _RULE.fullmatch(line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(path: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    text = _FENCE.sub("", read(path))
    parts = re.split(r"^#+ ", text, flags=re.MULTILINE)
    return next(part for part in parts if part.startswith(heading + "\n"))
