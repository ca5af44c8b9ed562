"""The page that a report is written into: its skeleton and its looks, nothing from outside."""

from __future__ import annotations

import re
from html import escape
from string import Template
from typing import Any

__all__ = ["PAGE", "escaped"]

_LIGHT = """
    --paper: #ffffff; --panel: #f6f7f9; --ink: #1f2430; --muted: #5c6675; --rule: #d5dae1;
    --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73;
    --series-4: #b3568b; --series-5: #c98500; --series-6: #2f93cf;
    color-scheme: light;"""
_DARK = """
    --paper: #14171c; --panel: #1c2027; --ink: #e8ebf0; --muted: #a0a9b6; --rule: #3a414d;
    --series-1: #56aee8; --series-2: #ff8a3d; --series-3: #2fc79a;
    --series-4: #e39ac7; --series-5: #f0b83c; --series-6: #8fd0f5;
    color-scheme: dark;"""

_LOOKS = (
    f":root {{{_LIGHT}\n}}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{{_DARK}\n}} }}\n"
    """
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 {
  margin: 3rem 0 1rem; padding-bottom: 0.35rem; border-bottom: 1px solid var(--rule);
  font-size: 1.25rem;
}
h3 { margin: 0 0 0.5rem; font-size: 1rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
.quiet, figcaption { color: var(--muted); font-size: 0.9rem; }
.definition { max-width: none; white-space: pre-line; }
.results {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.75rem;
  margin: 1.5rem 0 1rem; padding: 0;
}
.results div { padding: 0.8rem 1rem; background: var(--panel); border-radius: 0.5rem; }
.results dt { color: var(--muted); font-size: 0.8rem; }
.results dd { margin: 0; font-size: 0.8rem; color: var(--muted); }
.results dd.number {
  font-size: 1.5rem; line-height: 1.4; white-space: nowrap;
  color: var(--ink); font-variant-numeric: tabular-nums;
}
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
  gap: 2.25rem 2rem;
}
figure { margin: 0; min-width: 0; }
figure.wide { grid-column: 1 / -1; }
figcaption { margin-top: 0.4rem; max-width: 46rem; }
figure svg { display: block; width: 100%; height: auto; stroke-linejoin: round; }
.wide .scroll svg { min-width: 44rem; }
.scroll { overflow-x: auto; }
math {
  font-size: 1.1rem; font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math", math, serif;
}
math mtable { margin: 0; }
mtd { padding: 0.25em 0.3em; text-align: left; }
mtd:first-child { text-align: right; }
mtd mtext { color: var(--muted); padding-left: 1.5rem; font: 0.9rem system-ui, sans-serif; }
math[display="block"] { text-align: left; margin: 0.5rem 0; width: max-content; }
blockquote {
  margin: 0.5rem 0 1.25rem; padding: 0.75rem 1rem; background: var(--panel);
  border-left: 3px solid var(--series-1); border-radius: 0 0.4rem 0.4rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.surprisal { line-height: 2.1; overflow-wrap: anywhere; max-width: 60rem; }
.surprisal span {
  padding: 0.12em 0.22em; border-radius: 0.25em;
  background: color-mix(in srgb, var(--series-2) calc(var(--share) * 0.72%), transparent);
  print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
.surprisal.spelt { line-height: 1.7; }
.surprisal.spelt span { padding: 0.12em 0; border-radius: 0; }
.surprisal.spelt sub { display: none; }
.surprisal sub { opacity: 0.65; font-size: 0.62em; margin-left: 0.15em; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 1.5rem 0.3rem 0; text-align: left; border-bottom: 1px solid var(--rule); }
thead th { color: var(--muted); font-weight: 600; }
.compared td:not(:first-child), .compared th:not(:first-child) { text-align: right; }
.settings { columns: 20rem; column-gap: 3rem; }
.settings div {
  display: flex; justify-content: space-between; gap: 1rem; padding: 0.25rem 0;
  border-bottom: 1px solid var(--rule); break-inside: avoid; font-size: 0.92rem;
}
.settings dt { color: var(--muted); }
.settings dd {
  margin: 0; min-width: 0; text-align: right; overflow-wrap: anywhere; white-space: pre-wrap;
}
code { font-size: 0.9em; overflow-wrap: anywhere; }
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  figure, blockquote, .results div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .figures { grid-template-columns: 1fr 1fr; }
  .wide .scroll svg { min-width: 0; }
}
"""
)

PAGE = Template(
    f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>{_LOOKS}</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
"""
)


def escaped(value: Any) -> str:
    """A value as text of a page, without the control characters that HTML forbids.

    >>> escaped("a <b> \\x00")
    'a &lt;b&gt; �'
    """
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", str(value))
    return escape(text)
