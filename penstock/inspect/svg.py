"""A Matplotlib figure as a small ``<svg>`` element that follows the colours of its page."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from html import escape
from io import StringIO

from matplotlib.figure import Figure

from penstock.inspect.style import VARIABLES

__all__ = ["svg"]


def svg(figure: Figure, title: str) -> str:
    """The figure as an ``<svg>`` element that can stand in a page beside others.

    Args:
        figure: drawn within :func:`penstock.inspect.style.drawing`.
        title: what a screen reader says.
    """
    buffer = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for clean in (_without_ballast, _with_own_ids, _rounded, _coloured):
        text = clean(text)
    view = re.search(r'viewBox="[^"]*"', text)
    label = f'<svg role="img" aria-label="{escape(title)}" {view.group() if view else ""}>'
    return re.sub(r"<svg[^>]*>", lambda _: label, text, count=1)


def _without_ballast(text: str) -> str:
    """No comments, no style sheet (it would rule the page), no font of its own."""
    text = re.sub(r"<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href").replace(" font-family: 'DejaVu Sans';", "")
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"font: (?:(\d+|bold|italic) )?([\d.]+)px [^;\"]*", _font, text)
    return re.sub(r">\s+<", "><", text)


def _font(match: re.Match[str]) -> str:
    weight, size = match.groups()
    return f"font-size: {size}px" + (f"; font-weight: {weight}" if weight else "")


def _with_own_ids(text: str) -> str:
    """Only ids that are referred to, and none that another figure has."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    prefix = f"f{zlib.crc32(text.encode()):08x}-"
    text = _in_tags(
        r' id="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", text
    )
    return _in_tags(r'(href="#|url\(#)', lambda match: match[1] + prefix, text)


def _rounded(text: str) -> str:
    return _in_tags(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", text)


def _coloured(text: str) -> str:
    def variable(match: re.Match[str]) -> str:
        colour = match[0]
        return f"var({VARIABLES[colour]}, {colour})" if colour in VARIABLES else colour

    return _in_tags(r"#[0-9a-f]{6}\b", variable, text)


def _in_tags(pattern: str, replacement: Callable[[re.Match[str]], str], text: str) -> str:
    """Replace within tags only: what is written in the figure stays as it is."""
    return re.sub(r"<[^>]+>", lambda tag: re.sub(pattern, replacement, tag[0]), text)
